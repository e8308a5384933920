/** The blob store on S3: one object per ciphertext, `<backupId>/blobs/<uuid>`. */
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
import type { AwsStorageConfig } from "../../config/storage.ts";
import type { Random } from "../../runtime/clock.ts";
import { FairSemaphore } from "../../runtime/fair-semaphore.ts";
import { requireIntact } from "../content-file.ts";
import { BlobDamaged, type BlobRef, type Content, StorageUnavailable } from "../contract.ts";
import type { InspectableBlobs } from "../inspection.ts";
import { createS3Client } from "./clients.ts";
import {
  type PutTarget,
  putInstallationId,
  putLastSeen,
  readInstallationId,
  readLastSeenMs,
} from "./installation-object.ts";
import { unlessStalled, upTo, withBody } from "./object-body.ts";
import { probeId } from "./probe.ts";
import type { AwsStoreOptions } from "./records.ts";
import { DEFAULT_RETRY, type RetryPolicy, TryAgain, withRetries } from "./retry.ts";
import { statusOf } from "./sdk-error.ts";
import { MAX_HELD_BYTES, requireSpool, type Spooled, spool } from "./spool.ts";

/** A connection may hold some MiB of a large transfer in memory, so only these run at a time. */
const MAX_LARGE_TRANSFERS = 8;
/** So that the transfers for one client never take all turns. */
const MAX_LARGE_TRANSFERS_PER_CLIENT = 6;
/** How long one waits for its turn; clients wait for the answer 30 s at most. */
const MAX_WAIT_MS = 12_000;
/** Longer than a record's: S3 may have to ask KMS for a key first. */
const ATTEMPT_MS = 5_000;
/** The slowest transfer that is waited for, on top of the time of any other attempt. */
const MIN_BYTES_PER_SECOND = 1024 * 1024;
/** How long a download may stand still; short enough to try once more. */
const STALL_MS = 5_000;
/** The key of transfers that the service makes by itself. */
const NO_CLIENT = "";
const KEY = /^.+\/blobs\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface OpenedObject {
  readonly body: Readable;
  /** Whether the answer said of how many bytes it is. */
  readonly isSizeKnown: boolean;
}

export interface AwsBlobsOptions extends Omit<AwsStoreOptions, "clock"> {
  readonly stallMs?: number;
  /** How long a large transfer waits for others to end. */
  readonly maxWaitMs?: number;
}

export async function openAwsBlobs(
  config: AwsStorageConfig,
  options: AwsBlobsOptions,
): Promise<InspectableBlobs> {
  return new AwsBlobs(createS3Client(config), config, options);
}

class AwsBlobs implements InspectableBlobs {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #target: PutTarget;
  readonly #random: Random;
  readonly #retry: RetryPolicy;
  readonly #stallMs: number;
  readonly #largeTransfers: FairSemaphore;

  constructor(
    client: S3Client,
    config: AwsStorageConfig,
    { random, retry, onClockSkew, stallMs = STALL_MS, maxWaitMs = MAX_WAIT_MS }: AwsBlobsOptions,
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
    this.#stallMs = stallMs;
    this.#largeTransfers = new FairSemaphore({
      permits: MAX_LARGE_TRANSFERS,
      maxPerKey: MAX_LARGE_TRANSFERS_PER_CLIENT,
      maxWaitMs,
    });
  }

  async put(backupId: string, content: Content, client = NO_CLIENT): Promise<BlobRef> {
    await using spooled = await spool(content);
    const ref = { key: `${backupId}/blobs/${this.#random.uuid()}`, ...spooled.digest };
    const checksum = Buffer.from(ref.sha256, "hex").toString("base64");
    await this.#transfer(client, ref.size, "the blob could not be stored", async (abortSignal) => {
      const send = (body: Readable | Uint8Array) => {
        const command = new PutObjectCommand({
          ...this.#target,
          Key: ref.key,
          Body: body,
          ContentLength: ref.size,
          ContentType: "application/octet-stream",
          ChecksumSHA256: checksum,
          IfNoneMatch: "*",
        });
        return this.#client.send(command, { abortSignal });
      };
      try {
        await (ref.size === 0 ? send(new Uint8Array(0)) : withBody(spooled.read(), send));
      } catch (error) {
        // The name is new, so an object that is there already comes from an attempt whose answer was lost.
        if (statusOf(error) !== 412) throw error;
        await this.#confirm(ref, checksum, abortSignal);
      }
    });
    return ref;
  }

  async get(ref: BlobRef, client = NO_CLIENT): Promise<ReadableStream<Uint8Array> | null> {
    const spooled = await this.#transfer(
      client,
      ref.size,
      "the blob could not be read",
      async (abortSignal) => {
        const opened = await this.#open(ref, abortSignal);
        return opened && this.#receive(ref, opened, abortSignal);
      },
    );
    return spooled?.stream() ?? null;
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
      await this.#requireBucket(); // the answer to a HEAD does not tell a missing object from a missing bucket
      return null;
    }
    const { ContentLength } = found;
    return ContentLength ?? this.#attempt(purpose, (abortSignal) => this.#listedSize(key, abortSignal));
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
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined || !KEY.test(Key)) continue;
        if (Size === undefined || LastModified === undefined) throw incompleteList();
        yield { key: Key, size: Size, storedAtMs: LastModified.getTime(), backupId: backupIdOf(Key) };
      }
      next = page.NextContinuationToken;
      if (page.IsTruncated === true && next === undefined) throw incompleteList();
    } while (next !== undefined);
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

  async writable(): Promise<void> {
    const command = new PutObjectCommand({
      ...this.#target,
      Key: probeId(this.#random),
      Body: new Uint8Array(1),
    });
    await this.#attempt(`the S3 bucket ${this.#bucket} takes no write`, (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
  }

  async #requireBucket(): Promise<void> {
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

  /** The body of an object, of the right size where the answer says which; `null` when there is none of that name. */
  async #open(ref: BlobRef, abortSignal: AbortSignal): Promise<OpenedObject | null> {
    try {
      const command = new GetObjectCommand({ Bucket: this.#bucket, Key: ref.key });
      const { Body, ContentLength } = await this.#client.send(command, { abortSignal });
      if (!(Body instanceof Readable)) throw new Error("the SDK's answer has no body that can be read");
      if (ContentLength === undefined || ContentLength === ref.size)
        return { body: Body, isSizeKnown: ContentLength !== undefined };
      Body.destroy();
      throw new BlobDamaged(ref.key, `${ContentLength} bytes, not ${ref.size}`);
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }

  /** The size of an object as a list has it, for endpoints that leave it out elsewhere; `null` when there is none. */
  async #listedSize(key: string, abortSignal: AbortSignal): Promise<number | null> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: key, MaxKeys: 1 });
    const { Contents } = await this.#client.send(command, { abortSignal });
    const [first] = Contents ?? [];
    if (first?.Key !== key) return null; // the list is sorted: this name would be its first
    if (first.Size === undefined) throw incompleteList();
    return first.Size;
  }

  /** Resolves when the object that is there is the one that `ref` describes. */
  async #confirm(ref: BlobRef, checksum: string, abortSignal: AbortSignal): Promise<void> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: ref.key, ChecksumMode: "ENABLED" });
    const { ContentLength, ChecksumSHA256 } = await this.#client.send(command, { abortSignal });
    const isOther = ContentLength !== undefined && ContentLength !== ref.size;
    if (isOther || (ChecksumSHA256 !== undefined && ChecksumSHA256 !== checksum))
      throw new Error(`another object has the name ${ref.key}`);
    if (ChecksumSHA256 !== undefined) return;
    // an endpoint that keeps no checksums
    const opened = await this.#open(ref, abortSignal);
    if (opened === null) throw new Error(`the object ${ref.key} is there and is not`);
    await using _stored = await this.#receive(ref, opened, abortSignal);
  }

  /** Takes in the body of an object, all of it before any of it is served. */
  async #receive(
    ref: BlobRef,
    { body, isSizeKnown }: OpenedObject,
    abortSignal: AbortSignal,
  ): Promise<Spooled> {
    const spooled = await spool(upTo(ref.size + 1, unlessStalled(body, this.#stallMs)));
    try {
      const { size } = spooled.digest;
      if (size < ref.size && (isSizeKnown || (await this.#listedSize(ref.key, abortSignal)) === ref.size))
        throw new TryAgain(`${size} of ${ref.size} bytes arrived`);
      requireIntact(ref, spooled.digest);
      return spooled;
    } catch (error) {
      await spooled[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Sends or receives so many bytes. Large transfers take turns among clients, and have more time for an attempt and
   * for a second one.
   */
  #transfer<T>(
    client: string,
    bytes: number,
    purpose: string,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const moreMs = (bytes / MIN_BYTES_PER_SECOND) * 1000;
    const retry = {
      ...this.#retry,
      attemptMs: this.#retry.attemptMs + moreMs,
      budgetMs: this.#retry.budgetMs + moreMs / 2,
    };
    const run = () => this.#attempt(purpose, attempt, retry);
    return bytes > MAX_HELD_BYTES ? this.#largeTransfers.run(client, run) : run();
  }

  #attempt<T>(
    purpose: string,
    attempt: (signal: AbortSignal) => Promise<T>,
    retry = this.#retry,
  ): Promise<T> {
    return withRetries(purpose, retry, this.#random, attempt);
  }
}

function incompleteList(): StorageUnavailable {
  return new StorageUnavailable("the blobs could not be listed", {
    cause: new Error("a list of S3 lacks sizes, times or its continuation"),
  });
}

/** The part of a name before `/blobs/`. */
function backupIdOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/blobs/"));
}
