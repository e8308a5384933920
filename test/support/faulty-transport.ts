/** A transport of the client that fails where a test wants it to. */
import { fetchTransport } from "../../src/client/transport/fetch.ts";
import type { HttpResponse, Transport } from "../../src/client/transport/http.ts";

/** What becomes of a request: it never arrives, its response is lost, or something else responds. */
export type Fault = "never arrives" | "response is lost" | HttpResponse;

export interface FaultyTransport {
  readonly transport: Transport;
  /** The paths of the requests so far. */
  readonly sent: string[];
  /** The next requests to a path fail so. */
  fail(path: string, ...faults: readonly Fault[]): void;
  /** How many requests to a path are still to fail. */
  left(path: string): number;
}

export function faultyTransport(next: Transport = fetchTransport): FaultyTransport {
  const faults = new Map<string, Fault[]>();
  const sent: string[] = [];
  return {
    sent,
    fail: (path, ...added) => void faults.set(path, [...added]),
    left: (path) => faults.get(path)?.length ?? 0,
    async transport(request) {
      const { pathname } = new URL(request.url);
      sent.push(pathname);
      const fault = faults.get(pathname)?.shift();
      if (fault === undefined) return next(request);
      if (typeof fault === "object") return fault;
      if (fault === "response is lost") await next(request);
      throw new TypeError(`a request of the test: ${fault}`);
    },
  };
}

/** A response of the service, or of something before it. */
export function response(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    text: typeof body === "string" ? body : JSON.stringify(body),
    header: (name) => headers[name] ?? null,
  };
}

export function refusal(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return response(status, { allowRetry: false, error: { code, message: "no" } }, headers);
}
