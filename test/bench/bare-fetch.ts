/** The least that a store call can cost on this runtime: a signed request of as many bytes, and its response. */
import { createHash } from "node:crypto";
import { RequestSigner } from "../../src/storage/aws/direct/signature.ts";
import { WIDTH } from "./measure.ts";
import { startBenchService } from "./service.ts";

/** What a request or a response of the record store has, about. */
const ITEM_BYTES = 1024;
const CREDENTIALS = { accessKeyId: "bench", secretAccessKey: "bench-secret" };
const SCOPE = { region: "eu-west-1", service: "dynamodb" };

export interface BareCalls {
  readonly count: number;
  /** How long a response takes, about. A process that waits has to be woken, which costs CPU too. */
  readonly responseMs: number;
  /** How many bytes a request and its response have besides those of an item. */
  readonly sent: number;
  readonly received: number;
}

export interface BareFetch extends AsyncDisposable {
  /** CPU milliseconds of one call, all threads. */
  measure(calls: BareCalls): Promise<number>;
}

export async function openBareFetch(): Promise<BareFetch> {
  const server = await startBenchService({ program: "test/bench/store-server.ts" });
  const { protocol, hostname, port, host } = new URL(server.url);
  const signer = new RequestSigner();
  return {
    async measure({ count, responseMs, sent, received }) {
      const path = `/${ITEM_BYTES + received}/${responseMs}`;
      const body = Buffer.alloc(ITEM_BYTES + sent, "x");
      const hash = createHash("sha256").update(body).digest("hex"); // a blob store's caller knows it
      let left = count;
      async function call(): Promise<void> {
        while (left-- > 0) {
          const headers = {
            host,
            "content-type": "application/octet-stream",
            "x-amz-content-sha256": hash,
          };
          const request = { method: "POST", protocol, hostname, port: Number(port), path, headers };
          signer.sign(request, CREDENTIALS, SCOPE, Date.now());
          await (await fetch(`${server.url}${path}`, { method: "POST", headers, body })).arrayBuffer();
        }
      }
      const before = process.cpuUsage();
      await Promise.all(Array.from({ length: WIDTH }, call));
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000 / count;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
