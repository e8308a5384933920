/** Broken HTTP over a socket: the service responds with its error body, closes the connection, or both, and goes on. */
import { connect } from "node:net";
import { pooled, type Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { startService } from "../support/service.ts";
import { growthSince } from "./fields.ts";
import { type RawRequest, rawRequests } from "./raw-requests.ts";
import { DEADLINE_MS, problemWith, snapshotOf } from "./verdict.ts";

export interface RawOptions {
  readonly seed: number;
  /** How many different requests of each kind are sent. */
  readonly rounds: number;
}

const WIDTH = 8;
/** The time limit of the service: after it, a request with a complete head gets a response, whatever its body. */
const TIMEOUT_MS = 200;
/** When a client without a response ends its side of the connection: the head of its request is incomplete. */
const CLIENT_TIMEOUT_MS = 3 * TIMEOUT_MS;
/** The statuses of responses by Bun's HTTP parser, which have no body and close the connection. */
const PARSER_STATUSES = [400, 413, 431, 505];

export async function fuzzRaw(driver: Driver, { seed, rounds }: RawOptions): Promise<Report> {
  await using service = await startService(driver, { timeoutMs: TIMEOUT_MS });
  const random = pseudoRandom(seed);
  const before = await snapshotOf(service.services);
  const rssBefore = process.memoryUsage.rss();
  const failures: string[] = [];
  const tally: Tally = { answered: 0, parserRefusals: 0 };
  let cases = 0;

  for (let round = 1; round <= rounds; round++) {
    const requests = rawRequests(random);
    cases += requests.length;
    const found = await pooled(requests, WIDTH, (request) => problemsOf(service.url, request, tally));
    failures.push(...found.flat().map((problem) => `seed ${seed}, round ${round}, ${problem}`));
    const { status } = await service.client.health();
    // on a busy machine its time limit may end it
    if (![200, 408].includes(status)) failures.push(`seed ${seed}, round ${round}: the health is ${status}`);
  }
  if ((await snapshotOf(service.services)) !== before) failures.push("what is stored has changed");
  return {
    cases,
    failures,
    notes: {
      answers: tally.answered,
      "refused by the HTTP parser": tally.parserRefusals,
      "RSS growth": growthSince(rssBefore),
    },
  };
}

interface Tally {
  answered: number;
  parserRefusals: number;
}

async function problemsOf(url: string, { name, bytes }: RawRequest, tally: Tally): Promise<string[]> {
  const received = await exchange(url, bytes);
  if (received === null) return [`${name}: no end after ${DEADLINE_MS} ms`];
  return responsesIn(received).flatMap(({ status, headers, body }) => {
    tally.answered++;
    const ours = headers.has("x-request-id");
    if (!ours && PARSER_STATUSES.includes(status) && body === "") {
      tally.parserRefusals++;
      return [];
    }
    const problem = problemWith(status, headers.get("content-type") ?? null, body);
    return problem === null || isHeadResponse(bytes, body) ? [] : [`${name}: ${problem}`];
  });
}

function isHeadResponse(request: Uint8Array, body: string): boolean {
  return body === "" && Buffer.from(request.subarray(0, 5)).toString() === "HEAD ";
}

/**
 * Sends bytes, and ends its side of the connection at the first response or after CLIENT_TIMEOUT_MS. Returns everything
 * received until the connection ends; `null` if it does not end.
 */
function exchange(url: string, bytes: Uint8Array): Promise<string | null> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let received = "";
    const clientTimeout = setTimeout(() => socket.end(), CLIENT_TIMEOUT_MS);
    const deadline = setTimeout(() => {
      resolve(null);
      socket.destroy();
    }, DEADLINE_MS);
    socket.setEncoding("utf8");
    socket.on("data", (text) => {
      if (received === "") setImmediate(() => socket.end()); // after the data that arrives with it
      received += text;
    });
    socket.on("error", () => {}); // "close" follows: it may close while we still write
    socket.on("close", () => {
      clearTimeout(clientTimeout);
      clearTimeout(deadline);
      resolve(received);
    });
    socket.on("connect", () => socket.write(bytes));
  });
}

interface ParsedResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The responses on a connection, one after the other. */
function responsesIn(received: string): ParsedResponse[] {
  return received
    .split(/(?=HTTP\/1\.1 \d{3})/)
    .filter((text) => text !== "")
    .map((text) => {
      const end = text.indexOf("\r\n\r\n");
      const [start = "", ...lines] = text.slice(0, end === -1 ? undefined : end).split("\r\n");
      const headers = new Map(
        lines.map((line) => [
          line.split(":", 1)[0]?.toLowerCase() ?? "",
          line.slice(line.indexOf(":") + 1).trim(),
        ]),
      );
      const rest = end === -1 ? "" : text.slice(end + 4);
      const body = headers.get("transfer-encoding") === "chunked" ? contentOfChunks(rest) : rest;
      return { status: Number(start.split(" ")[1]), headers, body };
    });
}

/** A body in chunked coding (RFC 9112 §7.1), as far as it has come: the last chunk waits for the rest of the request. */
function contentOfChunks(text: string): string {
  let content = "";
  for (let rest = text; ; ) {
    const size = /^[0-9a-f]+(?=\r\n)/i.exec(rest)?.[0] ?? "0";
    const length = Number.parseInt(size, 16);
    if (length === 0) return content;
    const start = size.length + 2;
    content += rest.slice(start, start + length);
    rest = rest.slice(start + length + 2);
  }
}
