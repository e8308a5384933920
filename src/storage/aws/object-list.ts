/** What the lists of S3 say about the blobs in a bucket. */
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { StorageUnavailable } from "../contract.ts";
import type { ListedBlob } from "../inspection.ts";
import type { S3Sender } from "./clients.ts";

const KEY = /^.+\/blobs\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The blobs on one page of the list of a bucket, without objects that are not blobs.
 *
 * @param next names the page; not given for the first one.
 * @throws StorageUnavailable when something is missing in the list.
 */
export async function blobsOnPage(
  client: S3Sender,
  bucket: string,
  next: string | undefined,
  abortSignal: AbortSignal,
): Promise<{ readonly blobs: readonly ListedBlob[]; readonly next: string | undefined }> {
  const command = new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: next });
  const { Contents, IsTruncated, NextContinuationToken } = await client.send(command, { abortSignal });
  const blobs: ListedBlob[] = [];
  for (const { Key, Size, LastModified } of Contents ?? []) {
    if (Key === undefined || !KEY.test(Key)) continue;
    if (Size === undefined || LastModified === undefined) throw incompleteList();
    blobs.push({ key: Key, size: Size, storedAtMs: LastModified.getTime(), backupId: backupIdOf(Key) });
  }
  if (IsTruncated === true && NextContinuationToken === undefined) throw incompleteList();
  return { blobs, next: NextContinuationToken };
}

/** The size of an object as a list has it, for endpoints that leave it out elsewhere; `null` when there is none. */
export async function listedSize(
  client: S3Sender,
  bucket: string,
  key: string,
  abortSignal: AbortSignal,
): Promise<number | null> {
  const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: key, MaxKeys: 1 });
  const { Contents } = await client.send(command, { abortSignal });
  const [first] = Contents ?? [];
  if (first?.Key !== key) return null; // the list is sorted: this name would be its first
  if (first.Size === undefined) throw incompleteList();
  return first.Size;
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
