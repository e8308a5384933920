/** Streams an object of S3. After an interruption it continues with a request for the rest of the same object. */
import { Readable } from "node:stream";
import { GetObjectCommand, NoSuchKey } from "@aws-sdk/client-s3";
import type { Random } from "../../runtime/clock.ts";
import { BlobDamaged, type BlobRef, StorageUnavailable } from "../contract.ts";
import type { S3Sender } from "./clients.ts";
import { listedSize } from "./object-list.ts";
import { byteCount, isPage } from "./object-response.ts";
import { type RetryPolicy, TryAgain, withRetries } from "./retry.ts";

export interface DownloadOptions {
  readonly client: S3Sender;
  readonly bucket: string;
  readonly random: Random;
  /** `attemptMs` is for how long nothing may arrive, `budgetMs` for how long the whole download may wait for S3. */
  readonly retry: RetryPolicy;
  /** How long a reader may ask for nothing before the download is closed. */
  readonly maxUnreadMs: number;
}

interface Body {
  readonly pieces: AsyncIterator<Uint8Array>;
  /** Bytes at its beginning that an earlier response has delivered. */
  toSkip: number;
  end(reason?: Error): void;
}

const PURPOSE = "the blob could not be read";

/** The bytes of the object that `ref` names, each once. Does not verify them. */
export class Download implements AsyncIterable<Uint8Array> {
  readonly #ref: BlobRef;
  readonly #options: DownloadOptions;
  #body: Body | null = null;
  #position = 0;
  #etag: string | undefined;
  #isClosed = false;
  #unreadTimer: Timer | undefined;
  readonly #onClose: () => void;
  /** For how long S3 was waited for; the time that the reader takes does not count. */
  #waitedMs = 0;

  /** @param onClose called once: when the reader closes it, or asks for nothing for too long. */
  constructor(ref: BlobRef, options: DownloadOptions, onClose: () => void) {
    this.#ref = ref;
    this.#options = options;
    this.#onClose = onClose;
  }

  /**
   * Asks for the object; `false` when there is none of that name.
   *
   * @throws StorageUnavailable; BlobDamaged when the response has another size.
   */
  async open(): Promise<boolean> {
    return this.#attempt(async (signal) => {
      try {
        this.#body = await this.#request(signal);
        return true;
      } catch (error) {
        if (error instanceof NoSuchKey) return false;
        throw error;
      }
    });
  }

  /** @throws as {@link open}: StorageUnavailable also when the object is replaced or deleted before it was read. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = await this.#attempt((signal) => this.#next(signal));
      if (piece === null) return;
      yield piece;
    }
  }

  /** Releases the connection. Nothing can be read afterwards. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#unreadTimer);
    this.#body?.end();
    this.#onClose();
  }

  async #attempt<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { retry, random, maxUnreadMs } = this.#options;
    clearTimeout(this.#unreadTimer);
    const budgetMs = retry.budgetMs - this.#waitedMs;
    if (budgetMs < 0)
      throw new StorageUnavailable(PURPOSE, { cause: new Error("the download was too slow in total") });
    const startedMs = performance.now();
    try {
      return await withRetries(PURPOSE, { ...retry, budgetMs }, random, attempt);
    } finally {
      this.#waitedMs += performance.now() - startedMs;
      if (!this.#isClosed) this.#unreadTimer = setTimeout(() => this.close(), maxUnreadMs).unref();
    }
  }

  /** The next piece, which may be empty; `null` at the end. After a failure it is requested again. */
  async #next(signal: AbortSignal): Promise<Uint8Array | null> {
    if (this.#isClosed)
      throw new StorageUnavailable(PURPOSE, { cause: new Error("the download was closed") });
    this.#body ??= await this.#request(signal);
    const body = this.#body;
    signal.addEventListener("abort", () => body.end(new Error("nothing arrived"))); // the signal of this attempt alone
    try {
      const { value, done } = await body.pieces.next();
      if (done !== true) {
        const piece = value.subarray(Math.min(body.toSkip, value.length));
        body.toSkip -= value.length - piece.length;
        this.#position += piece.length;
        return piece;
      }
    } catch (error) {
      this.#body = null;
      if (this.#position >= this.#ref.size) return null; // there is no rest to request
      throw new TryAgain("the connection broke while a blob was read", { cause: error });
    }
    if (!(await this.#isCutOff(signal))) return null;
    this.#body = null;
    throw new TryAgain(`${this.#position} of ${this.#ref.size} bytes arrived`);
  }

  async #request(abortSignal: AbortSignal): Promise<Body> {
    const { client, bucket } = this.#options;
    const { key, size } = this.#ref;
    const rest = this.#position === 0 ? {} : { Range: `bytes=${this.#position}-`, IfMatch: this.#etag };
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...rest });
    const response = await client.send(command, { abortSignal });
    const { Body: body, ContentRange, ETag } = response;
    if (!(body instanceof Readable)) throw new Error("the SDK's response has no readable body");
    const start = ContentRange === undefined ? 0 : Number(/^bytes (\d+)-/.exec(ContentRange)?.[1]);
    if (this.#isClosed || isPage(response) || !(start <= this.#position)) {
      body.destroy();
      throw new TryAgain(
        `the response has ${ContentRange} of ${response.ContentType}, and ${this.#position} bytes had arrived before`,
      );
    }
    const length = byteCount(response.ContentLength);
    if (length !== undefined && length !== size - start) {
      body.destroy();
      throw new BlobDamaged(key, `${start + length} bytes, not ${size}`);
    }
    this.#etag = ETag;
    return {
      pieces: body[Symbol.asyncIterator](),
      toSkip: this.#position - start,
      end: (reason) => void body.destroy(reason),
    };
  }

  /** Whether a body that has ended is too short, and the object is not: the response had no length. */
  async #isCutOff(abortSignal: AbortSignal): Promise<boolean> {
    const { client, bucket } = this.#options;
    const { key, size } = this.#ref;
    return this.#position < size && (await listedSize(client, bucket, key, abortSignal)) === size;
  }
}
