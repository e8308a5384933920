/** The blob store on S3: one object per ciphertext, `<backupId>/blobs/<uuid>`. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { Random } from "../../clock.ts";
import type { AwsStorageConfig } from "../../config.ts";
import { BlobDamaged, type BlobRef, type BlobStore, StorageUnavailable } from "../contract.ts";
import { createS3Client } from "./clients.ts";
import type { AwsStoreOptions } from "./records.ts";
import { DEFAULT_RETRY, type RetryPolicy, statusOf, withRetries } from "./retry.ts";
import { verifiedStream } from "./verified-stream.ts";

/** Up to this size a ciphertext is read and checked before any of it is handed out. */
const CHECKED_UP_FRONT_BYTES = 256 * 1024;
/** Longer than a record's: up to 256 KiB are read within it, and S3 may have to ask KMS for a key first. */
const ATTEMPT_MS = 5_000;
/** The slowest upload that is waited for, on top of the time of any other attempt. */
const MIN_UPLOAD_BYTES_PER_SECOND = 1024 * 1024;
/** How long a download may stand still. */
const STALL_MS = 10_000;
const HASHED_AT_ONCE_BYTES = 256 * 1024;
const KEY = /^.+\/blobs\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface AwsBlobsOptions extends Omit<AwsStoreOptions, "clock"> {
  readonly stallMs?: number;
}

export async function openAwsBlobs(config: AwsStorageConfig, options: AwsBlobsOptions): Promise<BlobStore> {
  return new AwsBlobs(createS3Client(config), config, options);
}

class AwsBlobs implements BlobStore {
  readonly holdsContent = true; // S3 wants to know length and hash before the first byte
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #encryption: { ServerSideEncryption: "aws:kms"; SSEKMSKeyId: string } | Record<string, never>;
  readonly #random: Random;
  readonly #retry: RetryPolicy;
  readonly #stallMs: number;

  constructor(client: S3Client, config: AwsStorageConfig, { random, retry, stallMs }: AwsBlobsOptions) {
    this.#client = client;
    this.#bucket = config.bucket;
    const { kmsKeyArn } = config;
    this.#encryption = kmsKeyArn === null ? {} : { ServerSideEncryption: "aws:kms", SSEKMSKeyId: kmsKeyArn };
    this.#random = random;
    this.#retry = { ...DEFAULT_RETRY, attemptMs: ATTEMPT_MS, ...retry };
    this.#stallMs = stallMs ?? STALL_MS;
  }

  /**
   * The content is collected before it is sent: S3 wants to know the length first, a failed attempt has to be sent
   * again, and content that fails midway then never reaches S3. The pieces stay as they came and are sent one after
   * another, so that no second copy of the whole is made.
   */
  async put(backupId: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<BlobRef> {
    const pieces: Uint8Array[] = [];
    const hash = createHash("sha256");
    let size = 0;
    for await (const piece of content) {
      if (piece.length === 0) continue;
      await updateInSteps(hash, piece);
      pieces.push(piece);
      size += piece.length;
    }
    const digest = hash.digest();
    const ref = { key: `${backupId}/blobs/${this.#random.uuid()}`, size, sha256: digest.toString("hex") };
    const attemptMs = this.#retry.attemptMs + (size / MIN_UPLOAD_BYTES_PER_SECOND) * 1000;
    await this.#attempt(
      "the blob could not be stored",
      async (abortSignal) => {
        const command = new PutObjectCommand({
          Bucket: this.#bucket,
          Key: ref.key,
          Body: size === 0 ? new Uint8Array(0) : Readable.from(pieces, { objectMode: false }),
          ContentLength: size,
          ContentType: "application/octet-stream",
          ChecksumSHA256: digest.toString("base64"),
          IfNoneMatch: "*",
          ...this.#encryption,
        });
        try {
          await this.#client.send(command, { abortSignal });
        } catch (error) {
          // The name is new, so an object that is there already comes from an attempt whose answer was lost.
          if (statusOf(error) !== 412) throw error;
          await this.#confirm(ref, digest.toString("base64"), abortSignal);
        }
      },
      attemptMs,
    );
    return ref;
  }

  async get(ref: BlobRef): Promise<ReadableStream<Uint8Array> | null> {
    const small = ref.size <= CHECKED_UP_FRONT_BYTES;
    const body = await this.#attempt("the blob could not be read", async (abortSignal) => {
      const opened = await this.#open(ref, abortSignal);
      if (opened === null || !small) return opened;
      return Buffer.concat(await opened.toArray()); // the signal still guards the connection
    });
    if (body === null) return null;
    if (body instanceof Readable) return verifiedStream(body, ref, this.#stallMs);
    verify(ref, body);
    return streamOf(body);
  }

  async sizeOf(key: string): Promise<number | null> {
    const purpose = "the blob could not be looked up";
    const found = await this.#attempt(purpose, async (abortSignal) => {
      try {
        const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key });
        return await this.#client.send(command, { abortSignal });
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    });
    if (found === null) {
      await this.ready(); // the answer to a HEAD does not tell a missing object from a missing bucket
      return null;
    }
    if (found.ContentLength === undefined)
      throw new StorageUnavailable(purpose, { cause: new Error("the answer has no length") });
    return found.ContentLength;
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key });
    await this.#attempt("the blob could not be deleted", (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
  }

  async *list() {
    let next: string | undefined;
    do {
      const command: ListObjectsV2Command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        ...(next === undefined ? {} : { ContinuationToken: next }),
      });
      const page = await this.#attempt("the blobs could not be listed", (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? [])
        if (Key !== undefined && KEY.test(Key) && Size !== undefined && LastModified !== undefined)
          yield { key: Key, size: Size, storedAtMs: LastModified.getTime() };
      next = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (next !== undefined);
  }

  async ready(): Promise<void> {
    const purpose = `the S3 bucket ${this.#bucket} cannot be used`;
    await this.#attempt(purpose, async (abortSignal) => {
      try {
        await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), { abortSignal });
      } catch (error) {
        // the answer to a HEAD has no body that could name the error
        if (statusOf(error) !== 404) throw error;
        throw new StorageUnavailable(`${purpose}: it does not exist; \`bun run aws:setup\` creates it`, {
          cause: error,
        });
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  /** The body of an object of the right size; `null` when there is none of that name. */
  async #open(ref: BlobRef, abortSignal: AbortSignal): Promise<Readable | null> {
    try {
      const command = new GetObjectCommand({ Bucket: this.#bucket, Key: ref.key });
      const { Body, ContentLength } = await this.#client.send(command, { abortSignal });
      if (!(Body instanceof Readable)) throw new Error("the SDK's answer has no body that can be read");
      if (ContentLength === ref.size) return Body;
      Body.destroy();
      throw new BlobDamaged(ref.key, `${ContentLength} bytes, not ${ref.size}`);
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  /** Resolves when the object that is there is the one that `ref` describes. */
  async #confirm(ref: BlobRef, checksum: string, abortSignal: AbortSignal): Promise<void> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: ref.key, ChecksumMode: "ENABLED" });
    const { ContentLength, ChecksumSHA256 } = await this.#client.send(command, { abortSignal });
    if (ContentLength === ref.size && ChecksumSHA256 === checksum) return;
    if (ContentLength !== ref.size || ChecksumSHA256 !== undefined)
      throw new Error(`another object has the name ${ref.key}`);
    // an endpoint that keeps no checksums
    const body = await this.#open(ref, abortSignal);
    if (body === null) throw new Error(`the object ${ref.key} is there and is not`);
    for await (const _piece of verifiedStream(body, ref, this.#stallMs));
  }

  #attempt<T>(
    purpose: string,
    attempt: (signal: AbortSignal) => Promise<T>,
    attemptMs = this.#retry.attemptMs,
  ): Promise<T> {
    return withRetries(purpose, { ...this.#retry, attemptMs }, this.#random, attempt);
  }
}

/** Gives other work a turn while a large piece is hashed. */
async function updateInSteps(hash: ReturnType<typeof createHash>, piece: Uint8Array): Promise<void> {
  for (let start = 0; start < piece.length; start += HASHED_AT_ONCE_BYTES) {
    if (start > 0) await new Promise(setImmediate);
    hash.update(piece.subarray(start, start + HASHED_AT_ONCE_BYTES));
  }
}

function verify(ref: BlobRef, content: Uint8Array): void {
  if (content.length !== ref.size)
    throw new StorageUnavailable("the connection broke while a blob was read", {
      cause: new Error(`${content.length} of ${ref.size} bytes arrived`),
    });
  const sha256 = createHash("sha256").update(content).digest("hex");
  if (sha256 !== ref.sha256) throw new BlobDamaged(ref.key, `SHA-256 ${sha256}, not ${ref.sha256}`);
}

function streamOf(content: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (content.length > 0) controller.enqueue(content);
      controller.close();
    },
  });
}
