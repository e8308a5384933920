/** The blob store on S3: one object per ciphertext, `<backupId>/blobs/<uuid>`. */
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Random } from "../../runtime/clock.ts";
import { FairSemaphore } from "../../runtime/fair-semaphore.ts";
import { typed } from "../../runtime/program.ts";
import { IN_MEMORY_BYTES } from "../../runtime/sizes.ts";
import type { BlobRef, Content } from "../contract.ts";
import type { InspectableBlobs } from "../inspection.ts";
import { streamFrom, streamOf, verified } from "../verified-content.ts";
import { requireBucket, requireWritable } from "./bucket-health.ts";
import { createS3Client, createS3Sender, type S3Sender } from "./clients.ts";
import { Download } from "./download.ts";
import {
  type PutTarget,
  putInstallationId,
  putLastSeen,
  readInstallationId,
  readLastSeenMs,
} from "./installation-object.ts";
import { blobsOn, listedSize, objectPage } from "./object-list.ts";
import { byteCount, objectHead } from "./object-response.ts";
import { pagesOf } from "./pages.ts";
import { probeId } from "./probe.ts";
import type { AwsStoreOptions } from "./records.ts";
import { DEFAULT_RETRY, type RetryPolicy, withRetries } from "./retry.ts";
import { statusOf } from "./sdk-error.ts";
import { requireSpool, spool } from "./spool.ts";
import { SpoolMemory } from "./spool-memory.ts";
import { transferMs } from "./transfer-time.ts";
import { upload } from "./upload.ts";

/** A connection may hold some MiB of a large transfer in memory, so only these run at a time. */
const MAX_LARGE_TRANSFERS = 8;
/** So that the transfers of one client never take all permits. */
const MAX_LARGE_TRANSFERS_PER_CLIENT = 6;
/** How long a transfer waits for a permit; clients wait for a response 30 s at most. */
const MAX_WAIT_MS = 12_000;
/** Longer than for a record: S3 may have to ask KMS for a key first. */
const ATTEMPT_MS = 5_000;
/** Longer than a request may take: a reader that asks for nothing for so long does not keep its permit. */
const MAX_UNREAD_MS = 60_000;
/** The largest ciphertexts of four clients at a time; the rest waits on disk. */
const MAX_SPOOL_BYTES = 64 * 1024 * 1024;
/** The key in the semaphore for transfers that no client has caused. */
const NO_CLIENT = "";

export interface AwsBlobsOptions extends Omit<AwsStoreOptions, "clock"> {
  /** Called with how long a large transfer waited for others. */
  readonly onPermitWait?: (seconds: number) => void;
  readonly maxUnreadMs?: number;
  /** How long a large transfer waits for others to end. */
  readonly maxWaitMs?: number;
  /** How many bytes of large ciphertexts may wait for their upload in memory. */
  readonly spoolBytes?: number;
}

export async function openAwsBlobs(
  config: AwsStorageConfig,
  options: AwsBlobsOptions,
): Promise<InspectableBlobs> {
  return new AwsBlobs(createS3Sender(createS3Client(config)), config, options);
}

class AwsBlobs implements InspectableBlobs {
  readonly #client: S3Sender;
  readonly #bucket: string;
  readonly #target: PutTarget;
  readonly #random: Random;
  readonly #retry: RetryPolicy;
  readonly #maxUnreadMs: number;
  readonly #largeTransfers: FairSemaphore;
  readonly #spoolMemory: SpoolMemory;

  constructor(
    client: S3Sender,
    config: AwsStorageConfig,
    {
      random,
      retry,
      onClockSkew,
      onPermitWait,
      maxUnreadMs = MAX_UNREAD_MS,
      maxWaitMs = MAX_WAIT_MS,
      spoolBytes = MAX_SPOOL_BYTES,
    }: AwsBlobsOptions,
  ) {
    this.#client = client;
    this.#bucket = config.bucket;
    const { kmsKeyArn } = config;
    const encryption =
      kmsKeyArn === null ? {} : ({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: kmsKeyArn } as const);
    this.#target = { Bucket: config.bucket, ...encryption };
    this.#random = random;
    this.#retry = {
      ...DEFAULT_RETRY,
      attemptMs: ATTEMPT_MS,
      ...(onClockSkew && { onClockSkew }),
      ...retry,
    };
    this.#maxUnreadMs = maxUnreadMs;
    this.#spoolMemory = new SpoolMemory(spoolBytes);
    this.#largeTransfers = new FairSemaphore({
      permits: MAX_LARGE_TRANSFERS,
      maxPerKey: MAX_LARGE_TRANSFERS_PER_CLIENT,
      maxWaitMs,
      ...(onPermitWait && { onWaited: onPermitWait }),
    });
  }

  async put(backupId: string, content: Content, client = NO_CLIENT): Promise<BlobRef> {
    await using spooled = await spool(content, this.#spoolMemory, client);
    const ref = { key: `${backupId}/blobs/${this.#random.uuid()}`, ...spooled.digest };
    using _permit = await this.#permitFor(ref, client);
    await upload(ref, spooled, {
      client: this.#client,
      target: this.#target,
      random: this.#random,
      retry: this.#retry,
      read: (stored) => this.#read(stored, () => {}),
    });
    return ref;
  }

  async get(ref: BlobRef, client = NO_CLIENT): Promise<ReadableStream<Uint8Array> | null> {
    const permit = await this.#permitFor(ref, client);
    return this.#read(ref, () => permit?.[Symbol.dispose]());
  }

  /** A permit for a large transfer; `null` for a small one. */
  async #permitFor({ size }: BlobRef, client: string): Promise<Disposable | null> {
    return size > IN_MEMORY_BYTES ? this.#largeTransfers.acquire(client) : null;
  }

  /** As {@link get}, with the permit of the caller. `onClose` is called once, when nothing is read any more. */
  async #read(ref: BlobRef, onClose: () => void): Promise<ReadableStream<Uint8Array> | null> {
    const options = {
      client: this.#client,
      bucket: this.#bucket,
      random: this.#random,
      retry: { ...this.#retry, budgetMs: this.#retry.budgetMs + transferMs(ref.size) },
      maxUnreadMs: this.#maxUnreadMs,
    };
    const download = new Download(ref, options, onClose);
    let isStreamed = false;
    try {
      if (!(await download.open())) return null;
      const pieces = verified(ref, download);
      if (ref.size <= IN_MEMORY_BYTES) return streamOf(await Array.fromAsync(pieces));
      isStreamed = true;
      return streamFrom(pieces, async () => download.close());
    } finally {
      if (!isStreamed) download.close();
    }
  }

  async sizeOf(key: string): Promise<number | null> {
    const purpose = "the size of the blob could not be read";
    const found = await this.#attempt(purpose, async (abortSignal) => {
      try {
        return await objectHead(this.#client, { Bucket: this.#bucket, Key: key }, abortSignal);
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    });
    if (found === null) {
      await this.#requireBucket(); // the response to a HEAD does not distinguish a missing object from a missing bucket
      return null;
    }
    return (
      byteCount(found.ContentLength) ??
      this.#attempt(purpose, (abortSignal) => listedSize(this.#client, this.#bucket, key, abortSignal))
    );
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key });
    await this.#attempt("the blob could not be deleted", (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
  }

  async freeBytes(): Promise<null> {
    return null;
  }

  async *list(isSkipped: (key: string) => boolean = () => false) {
    const purpose = "the blobs could not be listed";
    const pages = pagesOf(purpose, undefined, (mark: string | undefined) =>
      this.#attempt(purpose, async (abortSignal) => {
        const query = { Bucket: this.#bucket, ContinuationToken: mark };
        const page = await objectPage(this.#client, query, abortSignal);
        return { page: blobsOn(page), next: page.next };
      }),
    );
    for await (const blobs of pages) yield* blobs.filter(({ key }) => !isSkipped(key));
  }

  async installationId(): Promise<string | null> {
    return this.#attempt(`the mark of the bucket ${this.#bucket} could not be read`, (abortSignal) =>
      readInstallationId(this.#client, this.#bucket, abortSignal),
    );
  }

  async markInstallation(id: string): Promise<string> {
    await this.#attempt(`the bucket ${this.#bucket} could not be marked`, (abortSignal) =>
      putInstallationId(this.#client, this.#target, id, abortSignal),
    );
    return (await this.installationId()) ?? id;
  }

  async lastSeenMs(): Promise<number | null> {
    return this.#attempt(`the mark of the bucket ${this.#bucket} could not be read`, (abortSignal) =>
      readLastSeenMs(this.#client, this.#bucket, abortSignal),
    );
  }

  async markSeen(nowMs: number): Promise<void> {
    await this.#attempt(`the bucket ${this.#bucket} could not be marked`, (abortSignal) =>
      putLastSeen(this.#client, this.#target, nowMs, abortSignal),
    );
  }

  async ready(): Promise<void> {
    await Promise.all([this.#requireBucket(), requireSpool()]);
  }

  writable(): Promise<void> {
    return requireWritable(this.#client, this.#target, probeId(this.#random), (purpose, run) =>
      this.#attempt(purpose, run),
    );
  }

  #requireBucket(): Promise<void> {
    const failure = {
      purpose: `the S3 bucket ${this.#bucket} cannot be used`,
      absent: `it does not exist; \`${typed("aws-setup")}\` creates it`,
    };
    return requireBucket(this.#client, this.#bucket, failure, (purpose, run) => this.#attempt(purpose, run));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  #attempt<T>(purpose: string, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withRetries(purpose, this.#retry, this.#random, attempt);
  }
}
