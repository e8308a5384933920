/** An HTTP proxy that does to requests and answers what a network and a busy store do. */
import {
  Agent,
  createServer,
  type IncomingMessage,
  type ServerResponse,
  request as sendRequest,
} from "node:http";
import type { Socket } from "node:net";
import { isBrokenConnection } from "./broken-connection.ts";

/** An answer that comes from the proxy. */
export interface ProxyAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type Fault =
  /** Answers instead of the store, which never sees the request. */
  | { readonly kind: "refuse"; readonly answer: ProxyAnswer }
  /** The store gets the request and does it; the client gets this answer. */
  | { readonly kind: "misreport"; readonly answer: ProxyAnswer }
  /** Closes the connection; the store never sees the request. */
  | { readonly kind: "drop request" }
  /** The store gets the request and does it; then the connection is closed. */
  | { readonly kind: "drop answer" }
  /** Passes on half of the answer's body and closes the connection. */
  | { readonly kind: "cut answer"; readonly without?: "etag" }
  /** Passes on half of the answer's body and then nothing. */
  | { readonly kind: "stall answer" }
  /** Passes on a hundredth of the answer's body now and again after each `ms`. */
  | { readonly kind: "trickle answer"; readonly ms: number }
  /** Reports a time that is `aheadMs` ahead, and answers in place of the store requests that are signed for another time. */
  | { readonly kind: "clock"; readonly aheadMs: number; readonly refusal: ProxyAnswer }
  /** Leaves the checksum out of the answer, like an endpoint that keeps none. */
  | { readonly kind: "no checksum" }
  /** Leaves out of the answer how long it is (it is in chunks then). */
  | { readonly kind: "no length" }
  /** The same, of half of the answer's body; then the connection is closed. */
  | { readonly kind: "cut answer without length" }
  /** Passes on all of the answer's body in chunks, but not the last chunk, which is empty; then closes the connection. */
  | { readonly kind: "cut last chunk" }
  /** Asks the store for another range than the client did; for the whole where it is `null`. */
  | { readonly kind: "other range"; readonly change: (range: string) => string | null }
  /** Hands the request on when the faults are cleared. */
  | { readonly kind: "hold" }
  /** Hands the request on after this time. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Hands the request on at once, and once more after this time; that answer goes nowhere. */
  | { readonly kind: "repeat"; readonly afterMs: number };

interface Injection {
  readonly fault: Fault;
  readonly matches: (request: IncomingMessage) => boolean;
  left: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  /** Requests seen so far, as `<method> <target>`: the operation's name for DynamoDB, the path for S3. */
  readonly seen: string[];
  /** How many connections its clients have at the moment. */
  readonly connections: number;
  /** Applies a fault to the next `times` requests that match; several are applied one after another. */
  inject(fault: Fault, times?: number, matches?: (request: IncomingMessage) => boolean): void;
  /** Forgets the faults that are left, and hands on what is held. */
  clear(): void;
  /** Resolves when every request seen so far has reached the store and was answered, also to clients that have gone. */
  settled(): Promise<void>;
  /** Resolves when every client has gone, and all that they had sent has reached the store and was answered. */
  deserted(): Promise<void>;
}

/** Starts a proxy in front of the endpoint at `target`. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const seen: string[] = [];
  const inHand = new Set<Promise<void>>();
  let injections: Injection[] = [];
  let cleared = Promise.withResolvers<void>();

  function nextFault(request: IncomingMessage): Fault | null {
    const injection = injections.find((candidate) => candidate.left > 0 && candidate.matches(request));
    if (injection === undefined) return null;
    injection.left -= 1;
    return injection.fault;
  }

  /** Sends the request as it came, so that its signature stays valid; also when its client has gone. */
  function forward(
    request: IncomingMessage,
    content: Buffer,
  ): Promise<{ answer: IncomingMessage; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const { method, url, headers } = request;
      const passed = sendRequest({ hostname, port, method, path: url, headers, agent }, (answer) => {
        bodyOf(answer).then((body) => resolve({ answer, body }), reject);
      });
      passed.on("error", reject);
      passed.end(content);
    });
  }

  /** Where the store closes a kept connection meanwhile, the request is not repeated. */
  async function repeatLater(request: IncomingMessage, content: Buffer, afterMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await forward(request, content).catch((error: unknown) => {
      if (!isBrokenConnection(error)) throw error;
    });
  }

  function track(work: Promise<void>): void {
    inHand.add(work);
    work.finally(() => inHand.delete(work));
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    seen.push(`${request.method} ${request.headers["x-amz-target"] ?? request.url}`);
    const fault = nextFault(request);
    const released = cleared.promise; // the faults may be cleared while the body still arrives
    if (fault?.kind === "drop request") {
      request.socket.destroy();
      return;
    }
    const content = await bodyOf(request);
    if (fault?.kind === "refuse") {
      send(response, fault.answer);
      return;
    }
    if (fault?.kind === "clock") {
      const proxyMs = Date.now() + fault.aheadMs;
      response.setHeader("date", new Date(proxyMs).toUTCString());
      if (Math.abs(signedAtMs(request) - proxyMs) > MAX_SKEW_MS) {
        send(response, fault.refusal);
        return;
      }
    }
    if (fault?.kind === "hold") await released;
    if (fault?.kind === "delay") await new Promise((resolve) => setTimeout(resolve, fault.ms));
    const { range } = request.headers;
    if (fault?.kind === "other range" && range !== undefined) {
      const changed = fault.change(range);
      if (changed === null) delete request.headers.range;
      else request.headers.range = changed;
    }
    const { answer, body } = await forward(request, content);
    if (fault?.kind === "repeat") track(repeatLater(request, content, fault.afterMs));
    if (fault?.kind === "drop answer") {
      request.socket.destroy();
      return;
    }
    if (fault?.kind === "misreport") {
      send(response, fault.answer);
      return;
    }
    if (fault?.kind === "clock") delete answer.headers.date; // it has its own
    if (fault?.kind === "cut answer" && fault.without !== undefined) delete answer.headers[fault.without];
    if (fault?.kind === "no checksum") delete answer.headers["x-amz-checksum-sha256"];
    const { "content-length": _, ...withoutLength } = answer.headers;
    const isSilent =
      fault?.kind === "no length" ||
      fault?.kind === "cut answer without length" ||
      fault?.kind === "cut last chunk";
    response.writeHead(answer.statusCode ?? 502, isSilent ? withoutLength : answer.headers);
    if (fault?.kind === "trickle answer") {
      const step = Math.ceil(body.length / 100);
      for (let sent = 0; sent < body.length && !response.destroyed; sent += step) {
        response.write(body.subarray(sent, sent + step));
        await new Promise((resolve) => setTimeout(resolve, fault.ms));
      }
      response.end();
      return;
    }
    const isCut =
      fault?.kind === "cut answer" ||
      fault?.kind === "cut answer without length" ||
      fault?.kind === "cut last chunk";
    if (!isCut && fault?.kind !== "stall answer") {
      response.end(body);
      return;
    }
    const share = fault?.kind === "cut last chunk" ? 1 : 2;
    response.write(body.subarray(0, Math.floor(body.length / share)), () => {
      if (isCut) request.socket.destroy();
    });
  }

  const server = createServer((request, response) => {
    // a client that has given up is none of the proxy's concern; the rest of the answer goes nowhere
    const handled = handle(request, response).catch(() => {
      request.socket.destroy();
    });
    track(handled);
  });
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    get connections() {
      return connections.size;
    },
    inject(fault, times = 1, matches = () => true) {
      injections.push({ fault, matches, left: times });
    },
    clear() {
      injections = [];
      cleared.resolve();
      cleared = Promise.withResolvers();
    },
    async settled() {
      await Promise.all(inHand);
    },
    async deserted() {
      while (connections.size > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      await Promise.all(inHand);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** AWS takes what was signed within 15 minutes of its own time. */
const MAX_SKEW_MS = 15 * 60 * 1000;

/** When a request was signed: `x-amz-date` is like 20261125T215000Z. */
export function signedAtMs({ headers }: Pick<IncomingMessage, "headers">): number {
  const digits = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers["x-amz-date"]));
  const [, year, month, day, hour, minute, second] = (digits ?? []).map(Number);
  return Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
}

function send(response: ServerResponse, { status, contentType, body }: ProxyAnswer): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function bodyOf(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    message.on("data", (piece: Buffer) => pieces.push(piece));
    message.on("end", () => resolve(Buffer.concat(pieces)));
    message.on("error", reject);
    const closed = Object.assign(new Error("the connection was closed before the end"), {
      code: "ECONNRESET",
    });
    message.on("close", () => reject(closed));
  });
}
