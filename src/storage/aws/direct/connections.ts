/** HTTP on the runtime's `fetch`, at a third of the cost of node:http. */
import { Readable } from "node:stream";
import { buildQueryString, HttpResponse } from "@smithy/core/protocols";
import type { HttpRequest } from "@smithy/types";
import { IN_MEMORY_BYTES } from "../../../runtime/sizes.ts";
import { Permits } from "./permits.ts";
import { ResponseBody, readableBytes } from "./response-body.ts";

export interface ExchangeOptions {
  /** Hands out the body of a success as a stream. */
  readonly isStreamed: boolean;
  readonly abortSignal?: AbortSignal;
  /** Called as the last thing before the request is sent; what it throws keeps it from being sent. */
  readonly beforeSending?: () => void;
}

/** The connections of one client. */
export class Connections {
  readonly #session = new Bun.FetchSession({ proxy: false });
  readonly #permits: Permits;

  /** @param maxRequests how many are on their way at a time. */
  constructor(maxRequests: number) {
    this.#permits = new Permits(maxRequests);
  }

  /**
   * Sends a request and receives its response. A small body has arrived by then; a large one arrives as it is read, and
   * keeps its connection until it is read to its end or destroyed.
   *
   * @throws AbortError when the signal aborts; an error with a `code` when the connection fails. A body fails likewise.
   */
  async exchange(
    request: HttpRequest,
    { isStreamed, abortSignal, beforeSending }: ExchangeOptions,
  ): Promise<HttpResponse> {
    const release = await this.#permits.acquire(abortSignal);
    let isBodyOnItsWay = false;
    try {
      const content = await contentOf(request);
      beforeSending?.();
      const response = await fetch(urlOf(request), {
        method: request.method,
        headers: request.headers,
        body: content,
        redirect: "manual",
        decompress: false,
        session: this.#session,
        ...(abortSignal && { signal: abortSignal }),
      });
      const { status: statusCode, body: stream } = response;
      const headers = response.headers.toJSON();
      if (isStreamed && response.ok && stream !== null && !isSmall(headers)) {
        isBodyOnItsWay = true;
        return new HttpResponse({
          statusCode,
          headers,
          body: new ResponseBody(stream).once("close", release),
        });
      }
      const bytes = await response.bytes();
      const body = isStreamed && response.ok ? readableBytes(bytes) : bytes;
      return new HttpResponse({ statusCode, headers, body });
    } finally {
      if (!isBodyOnItsWay) release();
    }
  }

  /** Closes the connections that are idle. */
  close(): void {
    this.#session.close();
  }
}

function urlOf({ protocol, hostname, port, path, query }: HttpRequest): string {
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  const search = buildQueryString(query ?? {});
  return `${protocol}//${host}${path}${search === "" ? "" : `?${search}`}`;
}

/** A small body is sent as a whole, which costs half of a stream. */
async function contentOf({ body, headers }: HttpRequest): Promise<Bun.BodyInit | null> {
  if (!(body instanceof Readable)) return body;
  return isSmall(headers) ? Buffer.concat(await Array.fromAsync<Uint8Array>(body)) : body;
}

function isSmall(headers: Readonly<Record<string, unknown>>): boolean {
  return Number(headers["content-length"]) <= IN_MEMORY_BYTES;
}
