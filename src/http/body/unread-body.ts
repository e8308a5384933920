/** Reads and discards the rest of a body, or cancels it, when the response is sent before the body was read. */
import { setTimeout as after } from "node:timers/promises";
import { FairSemaphore } from "../../runtime/fair-semaphore.ts";
import { MAX_DISCARDED_BYTES } from "../../runtime/sizes.ts";
import { within } from "../../runtime/within.ts";
import { declaredLength, type RequestBody, requestBodyOf } from "./request-body.ts";

export interface DiscardLimits {
  readonly maxBytes: number;
  readonly maxMs: number;
  /** For how long nothing may arrive. */
  readonly maxStalledMs: number;
  /** Of all bodies of an address together. */
  readonly bytesPerSecond: number;
}

/**
 * Long enough for the largest upload on a link of 12 Mbit/s. The rate is that of a fast link: without one, an address whose
 * uploads are refused would have the process read as fast as it can, and everybody would wait for that.
 */
export const DISCARD_LIMITS: DiscardLimits = {
  maxBytes: MAX_DISCARDED_BYTES,
  maxMs: 10_000,
  maxStalledMs: 2_000,
  bytesPerSecond: MAX_DISCARDED_BYTES,
};

/** The runtime reads some MiB ahead of each body, so few are discarded at a time, for all and for one address. */
const MAX_DISCARDED = 128;
const MAX_DISCARDED_PER_ADDRESS = 32;

const WITHOUT_CONTENT = new Set([204, 304]);

/**
 * The response to a request whose body may not have been read to its end. On a connection that stays open the server
 * discards the rest as fast as it can, so only a small body leaves its connection open. A connection that is to be closed
 * would be reset, and the response lost with it, if it were closed while the client still writes (RFC 9112 §9.6). So the end
 * of the response, and with it the closing, waits until the rest has been read, within `limits`. While too many bodies are
 * being discarded it is closed at once.
 */
export function createUnreadBodies(
  limits: DiscardLimits,
): (request: Request, response: Response) => Promise<Response> {
  const semaphore = new FairSemaphore({ permits: MAX_DISCARDED, maxPerKey: MAX_DISCARDED_PER_ADDRESS });

  /** Ends when all is read, a limit is reached or the client has gone. */
  async function discard(body: RequestBody): Promise<void> {
    const { maxBytes, maxMs, maxStalledMs, bytesPerSecond } = limits;
    const endMs = performance.now() + maxMs;
    let left = maxBytes;
    for (let leftMs = maxMs; left > 0 && leftMs > 0; leftMs = endMs - performance.now()) {
      const skipping = body.skip().catch(() => null); // the client has gone
      const bytes = await within(Math.min(leftMs, maxStalledMs), skipping);
      if (bytes === null) break;
      left -= bytes;
      const pauseMs = ((bytes * semaphore.heldBy(body.address)) / bytesPerSecond) * 1000;
      await after(Math.min(pauseMs, Math.max(0, endMs - performance.now())));
    }
    await body.cancel();
  }

  return async (request, response) => {
    const body = requestBodyOf(request);
    if (body.isOver || !hasBody(request)) return response;
    body.stop();
    const { status, headers } = response;
    if (!body.isSmall) headers.set("connection", "close");
    const hasContent = request.method !== "HEAD" && !WITHOUT_CONTENT.has(status);
    const isToBeClosed = closesConnection(request.headers) || closesConnection(headers);
    const permit = hasContent && isToBeClosed ? semaphore.tryAcquire(body.address) : null;
    if (permit === null) {
      await body.cancel();
      return response;
    }
    headers.delete("content-length"); // the response ends later than its content
    const discarding = discard(body).finally(() => permit[Symbol.dispose]());
    const content = await response.bytes();
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(content),
      async pull(controller) {
        await discarding;
        controller.close();
      },
    });
    return new Response(stream, { status, headers });
  };
}

/** RFC 9112 §6.3: a request without either header has no body. */
function hasBody({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || (headers.has("content-length") && declaredLength(headers) !== 0);
}

/** RFC 9112 §9.6: client or service may ask for it. A connection of HTTP/1.0, closed by default, is not recognised. */
function closesConnection(headers: Headers): boolean {
  return /(^|,)\s*close\s*(,|$)/i.test(headers.get("connection") ?? "");
}
