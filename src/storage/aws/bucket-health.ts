/** Checks that a bucket exists and takes writes. */
import { HeadBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { StorageUnavailable } from "../contract.ts";
import type { S3Sender } from "./clients.ts";
import type { PutTarget } from "./installation-object.ts";
import type { Attempt } from "./retry.ts";
import { statusOf } from "./sdk-error.ts";

/**
 * @param purpose what could not be done, as for `withRetries`.
 * @param absent what to say of a bucket that does not exist.
 * @throws StorageUnavailable when the bucket does not exist, or S3 does not respond.
 */
export async function requireBucket(
  client: S3Sender,
  bucket: string,
  { purpose, absent }: { readonly purpose: string; readonly absent: string },
  attempt: Attempt,
): Promise<void> {
  await attempt(purpose, async (abortSignal) => {
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal });
    } catch (error) {
      // the response to a HEAD has no body that could name the error
      if (statusOf(error) !== 404) throw error;
      throw new StorageUnavailable(`${purpose}: ${absent}`, { cause: error });
    }
  });
}

/** Puts an object of one byte. @param key names no blob. @throws StorageUnavailable when the bucket takes no write. */
export async function requireWritable(
  client: S3Sender,
  target: PutTarget,
  key: string,
  attempt: Attempt,
): Promise<void> {
  const command = new PutObjectCommand({ ...target, Key: key, Body: new Uint8Array(1) });
  await attempt(`the S3 bucket ${target.Bucket} takes no write`, (abortSignal) =>
    client.send(command, { abortSignal }),
  );
}
