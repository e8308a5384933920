/** Reads the bucket and the table of the other service. Nothing here writes. */
import { Readable } from "node:stream";
import { arrayBuffer } from "node:stream/consumers";
import { GetItemCommand, ResourceNotFoundException } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, InvalidObjectState, NoSuchKey } from "@aws-sdk/client-s3";
import type { Clock, Random } from "../../../runtime/clock.ts";
import { createPace, type Pace } from "../../../runtime/pace.ts";
import {
  BlobDamaged,
  type BlobRef,
  type Content,
  type FactorRef,
  StorageUnavailable,
} from "../../contract.ts";
import {
  LegacyArchived,
  LegacyNoText,
  type LegacyPlace,
  type LegacyRow,
  type LegacySource,
  LegacyTooLarge,
  legacyCiphertextKey,
  legacyMetadataKey,
  legacyRowKey,
  MAX_LEGACY_BYTES,
  mayHaveLegacyRow,
} from "../../legacy.ts";
import { requireBucket } from "../bucket-health.ts";
import {
  createDynamoDbClient,
  createDynamoDbSender,
  createS3Client,
  createS3Sender,
  type DynamoDbSender,
  type S3Sender,
} from "../clients.ts";
import { Download } from "../download.ts";
import { type ListedObject, listedSize, objectPage } from "../object-list.ts";
import { isPage } from "../object-response.ts";
import { pagesOf } from "../pages.ts";
import { createTableReads, type TableReads } from "../reads.ts";
import { type Attempt, DEFAULT_RETRY, type RetryPolicy, TryAgain, withRetries } from "../retry.ts";
import type { Item } from "../tables.ts";
import { transferMs } from "../transfer-time.ts";
import { placesOf } from "./places.ts";

/** Where the stores are. Credentials come from the SDK's default chain. */
export interface LegacyLocation {
  readonly bucket: string;
  readonly table: string;
  readonly region: string;
  /** A custom endpoint of each; `null` for AWS's own. */
  readonly s3Endpoint: string | null;
  readonly dynamoDbEndpoint: string | null;
}

export interface LegacyOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How many calls a second there are at most, retries included. */
  readonly callsPerSecond: number;
  readonly retry?: Partial<RetryPolicy>;
}

/** An operator waits longer than a request: a run that ends early has to be started again. */
const RETRY: RetryPolicy = { ...DEFAULT_RETRY, budgetMs: 120_000, attemptMs: 30_000, maxPauseMs: 10_000 };
/** DynamoDB reads at most 100 items in a call. */
const MAX_ROWS_A_CALL = 100;
/** A reader that asks for nothing for so long keeps no connection. */
const MAX_UNREAD_MS = 60_000;
const NOT_READ = "an object of the other service could not be read";

export function openLegacySource(location: LegacyLocation, options: LegacyOptions): LegacySource {
  return new AwsLegacySource(location, options);
}

/** The stores with their clients, which reading and writing share. */
export class AwsLegacySource implements LegacySource {
  protected readonly s3: S3Sender;
  protected readonly dynamoDb: DynamoDbSender;
  protected readonly location: LegacyLocation;
  protected readonly attempt: Attempt;
  readonly #rows: TableReads;
  readonly #random: Random;
  readonly #retry: RetryPolicy;

  constructor(location: LegacyLocation, { clock, random, callsPerSecond, retry }: LegacyOptions) {
    this.location = location;
    this.s3 = createS3Sender(createS3Client(location));
    this.dynamoDb = createDynamoDbSender(createDynamoDbClient(location), {
      tables: { factors: location.table },
    });
    this.#random = random;
    this.#retry = { ...RETRY, ...retry };
    this.attempt = pacedAttempt(createPace(callsPerSecond, clock), this.#retry, random);
    this.#rows = createTableReads(this.dynamoDb, this.attempt);
  }

  async ready(): Promise<void> {
    const { bucket, table } = this.location;
    const purpose = `the bucket ${bucket} of the other service cannot be used`;
    await requireBucket(this.s3, bucket, { purpose, absent: "it does not exist" }, this.attempt);
    await this.attempt(`the table ${table} of the other service cannot be read`, async (abortSignal) => {
      try {
        const command = new GetItemCommand({ TableName: table, Key: { PK: { S: "MAIN#" } } });
        await this.dynamoDb.send(command, { abortSignal });
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error;
        throw new StorageUnavailable(`the table ${table} of the other service does not exist`, {
          cause: error,
        });
      }
    });
  }

  list(): AsyncIterable<LegacyPlace> {
    return placesOf(this.#objects());
  }

  async metadata(backupId: string): Promise<string | null> {
    const bytes = await this.#object(legacyMetadataKey(backupId));
    return bytes === null ? null : textOf(bytes);
  }

  ciphertext(backupId: string, archiveId: string | null): Promise<Uint8Array | null> {
    return this.#object(legacyCiphertextKey(backupId, archiveId));
  }

  async ciphertextPieces(backupId: string, archiveId: string | null): Promise<Content | null> {
    const key = legacyCiphertextKey(backupId, archiveId);
    // a list, because the response to a HEAD does not distinguish a missing object from a missing bucket
    const size = await this.attempt(NOT_READ, (abortSignal) =>
      listedSize(this.s3, this.location.bucket, key, abortSignal),
    );
    if (size !== null && size > MAX_LEGACY_BYTES) throw new LegacyTooLarge(size);
    return size === null ? null : this.#pieces({ key, size, sha256: "" });
  }

  async *#pieces(ref: BlobRef): AsyncGenerator<Uint8Array> {
    const budgetMs = this.#retry.budgetMs + transferMs(ref.size);
    const download = new Download(
      ref,
      {
        client: this.s3,
        bucket: this.location.bucket,
        random: this.#random,
        retry: { ...this.#retry, budgetMs },
        maxUnreadMs: MAX_UNREAD_MS,
      },
      () => {},
    );
    try {
      if (!(await download.open())) throw new StorageUnavailable("an object was deleted while it was read");
      yield* download;
    } catch (error) {
      if (isArchived(error)) throw new LegacyArchived();
      if (!(error instanceof BlobDamaged)) throw error;
      throw new StorageUnavailable("an object was replaced while it was read", { cause: error });
    } finally {
      download.close();
    }
  }

  async rows(factors: readonly FactorRef[]): Promise<ReadonlyMap<string, LegacyRow>> {
    const keys = [...new Set(factors.filter(mayHaveLegacyRow).map(legacyRowKey))];
    const rows = new Map<string, LegacyRow>();
    for (let start = 0; start < keys.length; start += MAX_ROWS_A_CALL) {
      const wanted = keys.slice(start, start + MAX_ROWS_A_CALL).map((key) => ({ PK: { S: key } }));
      const found = await this.#rows.items({ [this.location.table]: wanted });
      for (const item of found.get(this.location.table) ?? []) {
        const row = rowOf(item);
        if (item.PK?.S !== undefined && row !== null) rows.set(item.PK.S, row);
      }
    }
    return rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.s3.destroy();
    this.dynamoDb.destroy();
  }

  async #object(key: string): Promise<Uint8Array | null> {
    return this.attempt(NOT_READ, async (abortSignal) => {
      try {
        const command = new GetObjectCommand({ Bucket: this.location.bucket, Key: key });
        const response = await this.s3.send(command, { abortSignal });
        const { Body: body, ContentLength: length } = response;
        if (!(body instanceof Readable)) throw new Error("the SDK's response has no readable body");
        // the end of a failed attempt ends the body as well
        if (isPage(response)) throw new TryAgain("another server has responded");
        if (length !== undefined && length > MAX_LEGACY_BYTES) throw new LegacyTooLarge(length);
        return new Uint8Array(await arrayBuffer(body));
      } catch (error) {
        if (error instanceof NoSuchKey) return null;
        if (error instanceof InvalidObjectState) throw new LegacyArchived();
        throw error;
      }
    });
  }

  async *#objects(): AsyncGenerator<ListedObject> {
    const purpose = "the bucket of the other service could not be listed";
    const pages = pagesOf(purpose, undefined, (mark: string | undefined) =>
      this.attempt(purpose, async (abortSignal) => {
        const query = { Bucket: this.location.bucket, ContinuationToken: mark };
        const page = await objectPage(this.s3, query, abortSignal);
        return { page: page.objects, next: page.next };
      }),
    );
    for await (const objects of pages) yield* objects;
  }
}

/** Another byte in the place of a damaged one would be a guess. @throws LegacyNoText */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new LegacyNoText();
  }
}

function pacedAttempt(pace: Pace, retry: RetryPolicy, random: Random): Attempt {
  return (purpose, attempt) =>
    withRetries(purpose, retry, random, async (signal) => {
      await pace.next();
      return attempt(signal);
    });
}

function rowOf({ BackupId, LastUsedAt }: Item): LegacyRow | null {
  if (BackupId?.S === undefined) return null; // it leads nowhere
  const lastUsedAt = LastUsedAt?.N === undefined ? null : Number(LastUsedAt.N);
  return { backupId: BackupId.S, lastUsedAt: Number.isSafeInteger(lastUsedAt) ? lastUsedAt : null };
}

/** Whether S3 refused a download because the object is in an archive: a download says that it could not be read, and why. */
function isArchived(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof InvalidObjectState) return true;
  return false;
}
