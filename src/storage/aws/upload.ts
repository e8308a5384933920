/** Sends a ciphertext to S3 as a new object. After a lost response it verifies the object that is there. */
import type { Readable } from "node:stream";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { Random } from "../../runtime/clock.ts";
import type { BlobRef } from "../contract.ts";
import type { S3Sender } from "./clients.ts";
import type { PutTarget } from "./installation-object.ts";
import { withBody } from "./object-body.ts";
import { objectHead } from "./object-response.ts";
import { type RetryPolicy, TryAgain, withRetries } from "./retry.ts";
import { statusOf } from "./sdk-error.ts";
import type { Spooled } from "./spool.ts";
import { transferMs } from "./transfer-time.ts";

export interface UploadOptions {
  readonly client: S3Sender;
  readonly target: PutTarget;
  readonly random: Random;
  /** For a small object. A large one has more time for each attempt, and for further attempts to begin. */
  readonly retry: RetryPolicy;
  /** Reads an object and verifies it; `null` when there is none of that name. */
  readonly read: (ref: BlobRef) => Promise<AsyncIterable<Uint8Array> | null>;
}

const PURPOSE = "the blob could not be stored";

/**
 * Stores what was spooled as the object that `ref` names.
 *
 * @param ref has a name that no object has had.
 * @throws StorageUnavailable; BlobDamaged or another Error when the name has another object.
 */
export async function upload(ref: BlobRef, spooled: Spooled, options: UploadOptions): Promise<void> {
  const { retry, random } = options;
  const moreMs = transferMs(ref.size);
  const longer = { ...retry, attemptMs: retry.attemptMs + moreMs, budgetMs: retry.budgetMs + moreMs / 2 };
  const isNew = await withRetries(PURPOSE, longer, random, (signal) => put(ref, spooled, options, signal));
  // the name is new, so an object that was there already comes from an attempt whose response was lost
  if (!isNew) await confirm(ref, options);
}

/** One attempt. `false` when an object has the name already. */
async function put(
  ref: BlobRef,
  spooled: Spooled,
  { client, target }: UploadOptions,
  abortSignal: AbortSignal,
): Promise<boolean> {
  const checksum = checksumOf(ref);
  const send = (body: Readable | Uint8Array) => {
    const command = new PutObjectCommand({
      ...target,
      Key: ref.key,
      Body: body,
      ContentLength: ref.size,
      ContentType: "application/octet-stream",
      ChecksumSHA256: checksum,
      IfNoneMatch: "*",
    });
    return client.send(command, { abortSignal });
  };
  try {
    const stored = await (ref.size === 0 ? send(new Uint8Array(0)) : withBody(spooled.read(), send));
    // where another server has responded, or an endpoint without ETags, the next attempt finds the object or stores it
    if (stored.ETag === undefined) throw new TryAgain("the response to a PUT has no ETag");
    if (![undefined, checksum].includes(stored.ChecksumSHA256))
      throw new TryAgain("S3 has stored other bytes");
    return true;
  } catch (error) {
    if (statusOf(error) !== 412) throw error;
    return false;
  }
}

/** @throws StorageUnavailable; BlobDamaged or another Error when `ref` does not describe the stored object. */
async function confirm(ref: BlobRef, { client, target, random, retry, read }: UploadOptions): Promise<void> {
  const checksum = checksumOf(ref);
  const query = { Bucket: target.Bucket, Key: ref.key, ChecksumMode: "ENABLED" } as const;
  const { ContentLength, ChecksumSHA256 } = await withRetries(PURPOSE, retry, random, (abortSignal) =>
    objectHead(client, query, abortSignal),
  );
  const isOther = ContentLength !== undefined && ContentLength !== ref.size;
  if (isOther || (ChecksumSHA256 !== undefined && ChecksumSHA256 !== checksum))
    throw new Error(`another object has the name ${ref.key}`);
  if (ChecksumSHA256 !== undefined) return;
  // an endpoint that keeps no checksums
  const stored = await read(ref);
  if (stored === null) throw new Error(`the object ${ref.key} was found, and was missing when it was read`);
  for await (const _piece of stored); // ends only if all of it was verified
}

/** The SHA-256 as S3 takes it. */
function checksumOf({ sha256 }: BlobRef): string {
  return Buffer.from(sha256, "hex").toString("base64");
}
