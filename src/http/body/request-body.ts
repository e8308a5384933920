/** The body of a request as it arrives. */
import { setImmediate as nextIteration } from "node:timers/promises";
import { ServiceError } from "../../errors.ts";
import { Arrival } from "../../limits/arrival.ts";
import type { AdmittedBody } from "../../limits/upload-budget.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { SMALL_BYTES } from "../../runtime/sizes.ts";

/** Iterations of the event loop after which a read without a result waits for the client. */
const ARRIVAL_ITERATIONS = 2;

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

interface BodyOptions {
  /** The client address that limits count by. */
  readonly address: string;
  readonly clock: Pick<Clock, "elapsedMs">;
  /** Responds to the request with `error`, unless it has a response. */
  readonly end: (error: ServiceError) => void;
}

/** The length that headers declare; `null` without one, or with several. */
export function declaredLength(headers: Headers): number | null {
  const length = headers.get("content-length");
  return length !== null && /^\d+$/.test(length) ? Number(length) : null;
}

const bodies = new WeakMap<Request, RequestBody>();

export function requestBodyOf(request: Request): RequestBody {
  return bodies.get(request) ?? trackBody(request, { address: "", clock: systemClock, end: () => {} });
}

/** Creates the body that {@link requestBodyOf} returns. */
export function trackBody(request: Request, options: BodyOptions): RequestBody {
  const body = new RequestBody(request, options);
  bodies.set(request, body);
  return body;
}

/** Measures how the body arrives. Can discard the rest once the request has its response. */
export class RequestBody implements AdmittedBody {
  readonly address: string;
  readonly arrival: Arrival;
  readonly end: (error: ServiceError) => void;
  /** Whether the time limit grows with what arrives. */
  isUpload = false;
  readonly #request: Request;
  #reader: Reader | null = null;
  #whole: Promise<ArrayBuffer> | null = null;
  #hasBegun = false;
  #isAwaited = false;
  /** The result of the last read. Before the first one, any number of bytes may have arrived. */
  #lastBytes = Number.POSITIVE_INFINITY;
  #isOver = false;
  #isStopped = false;

  constructor(request: Request, { address, clock, end }: BodyOptions) {
    this.#request = request;
    this.address = address;
    this.arrival = new Arrival(clock);
    this.end = end;
  }

  /** Whether all of it has been read. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** As {@link AdmittedBody.mayBeUnread}; `false` for a client that sends little at a time, which could block others. */
  get mayBeUnread(): boolean {
    const isGoing = !this.#isOver && !this.#isStopped && !this.#isAwaited;
    return isGoing && this.#lastBytes >= SMALL_BYTES && !this.isSmall; // the header last: this is asked of many bodies
  }

  /** Whether the declared length is small enough to buffer the body, which costs less than a stream. */
  get isSmall(): boolean {
    const declared = declaredLength(this.#request.headers);
    return declared !== null && declared <= SMALL_BYTES;
  }

  /**
   * The next bytes; `null` at the end. Reads once per iteration of the event loop, so that chunks of a byte, which arrive
   * together, cost no more than others.
   *
   * @throws ServiceError `invalid_payload` when the client closes the connection, or after {@link stop}.
   */
  async read(): Promise<Uint8Array | null> {
    this.#requireGoing();
    const bytes = await this.#next();
    this.#requireGoing();
    return bytes;
  }

  /** Makes every {@link read} fail, running or later. {@link skip} reads the rest. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Reads and discards after {@link stop}: the number of bytes; `null` at the end. */
  async skip(): Promise<number | null> {
    return (await this.#next())?.length ?? null;
  }

  /** Ends the reading. The server discards the rest. */
  async cancel(): Promise<void> {
    this.#isStopped = true;
    await this.#reader?.cancel().catch(() => {
      // the client has gone
    });
  }

  async #next(): Promise<Uint8Array | null> {
    if (this.#isOver) return null;
    if (this.#hasBegun) await nextIteration();
    this.#hasBegun = true;
    let length = 0;
    const reading = { isOver: false };
    this.arrival.beginWait();
    if (!this.isSmall) void this.#awaitClient(reading);
    try {
      const bytes = this.isSmall ? await this.#readAtOnce() : await this.#readOn();
      length = bytes?.length ?? 0;
      return bytes;
    } catch (error) {
      this.#isOver = true;
      throw interrupted(error);
    } finally {
      reading.isOver = true;
      this.#lastBytes = length;
      this.#isAwaited = false;
      this.arrival.endWait(length);
    }
  }

  async #awaitClient(reading: { readonly isOver: boolean }): Promise<void> {
    for (let count = 0; count < ARRIVAL_ITERATIONS; count++) await nextIteration();
    if (!reading.isOver) this.#isAwaited = true;
  }

  async #readAtOnce(): Promise<Uint8Array> {
    this.#whole ??= this.#request.arrayBuffer(); // skip() may be called while read() is pending
    const bytes = new Uint8Array(await this.#whole);
    this.#isOver = true;
    return bytes;
  }

  async #readOn(): Promise<Uint8Array | null> {
    this.#reader ??= (this.#request.body ?? new Blob().stream()).getReader();
    const { value } = await this.#reader.read();
    if (value === undefined) this.#isOver = true;
    return value ?? null;
  }

  #requireGoing(): void {
    if (this.#isStopped) throw interrupted(new Error("the request has its response"));
  }
}

function interrupted(cause: unknown): ServiceError {
  return new ServiceError("invalid_payload", "The body was interrupted", { cause });
}
