/** What becomes of the rest of a body when its request is answered before all of it was read. */
import { MAX_DISCARDED_BYTES } from "../../runtime/sizes.ts";
import { declaredLength } from "./declared-length.ts";
import { type RequestBody, requestBodyOf } from "./request-body.ts";

export interface DiscardLimits {
  readonly maxBytes: number;
  readonly maxMs: number;
  /** For how long nothing may arrive. */
  readonly maxStillMs: number;
}

/** Long enough for the largest upload on a link of 12 Mbit/s. */
export const DISCARD_LIMITS: DiscardLimits = {
  maxBytes: MAX_DISCARDED_BYTES,
  maxMs: 10_000,
  maxStillMs: 2_000,
};

/** The runtime reads some MiB ahead of each body, so only so many are discarded at a time, and so many of one address. */
const MAX_DISCARDED = 128;
const MAX_DISCARDED_PER_ADDRESS = 32;

const WITHOUT_CONTENT = new Set([204, 304]);

/** Says what becomes of a response whose request may have more body. */
export type WithUnreadBody = (request: Request, response: Response) => Promise<Response>;

/**
 * The response to a request whose body may not have been read to its end. On a connection that stays open the server
 * discards the rest. One that is to be closed would be reset, and the response lost with it, if it were closed while the
 * client still writes (RFC 9112 §9.6). So the end of the response, and with it the closing, waits until the rest has
 * been read, within `limits`; but where too many bodies are being discarded already the connection is closed at once.
 */
export function createUnreadBodies(limits: DiscardLimits): WithUnreadBody {
  const places = new DiscardPlaces();
  return (request, response) => withUnreadBody(request, response, limits, places);
}

async function withUnreadBody(
  request: Request,
  response: Response,
  limits: DiscardLimits,
  places: DiscardPlaces,
): Promise<Response> {
  const body = requestBodyOf(request);
  if (body.isOver || !hasBody(request)) return response;
  body.stop();
  const hasContent = request.method !== "HEAD" && !WITHOUT_CONTENT.has(response.status);
  const isToBeClosed = closesConnection(request.headers) || closesConnection(response.headers);
  if (!hasContent || !isToBeClosed || !places.take(body.address)) {
    await body.cancel();
    return response;
  }
  const { status, headers } = response;
  headers.delete("content-length"); // the end of the response is not that of its content
  const discarding = discard(body, limits).finally(() => places.giveBack(body.address));
  return new Response(
    followedBy(await response.bytes(), () => discarding),
    { status, headers },
  );
}

class DiscardPlaces {
  readonly #taken = new Map<string, number>();
  #total = 0;

  /** Whether there was a place. */
  take(address: string): boolean {
    const taken = this.#taken.get(address) ?? 0;
    if (this.#total >= MAX_DISCARDED || taken >= MAX_DISCARDED_PER_ADDRESS) return false;
    this.#total++;
    this.#taken.set(address, taken + 1);
    return true;
  }

  giveBack(address: string): void {
    const left = (this.#taken.get(address) ?? 0) - 1;
    this.#total--;
    if (left > 0) this.#taken.set(address, left);
    else this.#taken.delete(address);
  }
}

/** RFC 9112 §6.3: a request without either header has none. */
function hasBody({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || (headers.has("content-length") && declaredLength(headers) !== 0);
}

/** RFC 9112 §9.6: either side may say so. What HTTP/1.0 closes without being asked cannot be seen here. */
function closesConnection(headers: Headers): boolean {
  return (headers.get("connection") ?? "")
    .split(",")
    .some((option) => option.trim().toLowerCase() === "close");
}

/** Ends when `work` has ended or the client has gone. */
function followedBy(content: Uint8Array, work: () => Promise<void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(content),
    async pull(controller) {
      await work();
      controller.close();
    },
  });
}

async function discard(body: RequestBody, { maxBytes, maxMs, maxStillMs }: DiscardLimits): Promise<void> {
  const endMs = performance.now() + maxMs;
  let left = maxBytes;
  for (let leftMs = maxMs; left > 0 && leftMs > 0; leftMs = endMs - performance.now()) {
    const bytes = await within(Math.min(leftMs, maxStillMs), body.skip());
    if (bytes === null) break;
    left -= bytes;
  }
  await body.cancel();
}

/** What `skipping` results in; `null` where that takes longer or fails, as when the client has gone. */
async function within(ms: number, skipping: Promise<number | null>): Promise<number | null> {
  const { promise: tooLong, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  try {
    return await Promise.race([skipping.catch(() => null), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
