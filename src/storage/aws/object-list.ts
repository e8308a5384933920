/** What the lists of S3 say about the blobs in a bucket. */
import { ListObjectsV2Command, type ListObjectsV2CommandInput } from "@aws-sdk/client-s3";
import { StorageUnavailable } from "../contract.ts";
import type { ListedBlob } from "../inspection.ts";
import type { S3Sender } from "./clients.ts";
import { byteCount } from "./object-response.ts";

const KEY = /^.+\/blobs\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** An object as a list has it. */
export interface ListedObject {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  readonly storedAtMs: number;
}

export interface ObjectPage {
  readonly objects: readonly ListedObject[];
  /** Names the next page; not given on the last one. */
  readonly next: string | undefined;
}

/**
 * One page of the list of a bucket.
 *
 * @throws StorageUnavailable when the response is no list, or something is missing in it.
 */
export async function objectPage(
  client: S3Sender,
  query: Pick<ListObjectsV2CommandInput, "Bucket" | "ContinuationToken" | "MaxKeys" | "Prefix">,
  abortSignal: AbortSignal,
): Promise<ObjectPage> {
  const list = await client.send(new ListObjectsV2Command(query), { abortSignal });
  // every list says whether it is the last page, and a page of another server does not: it is not an empty bucket
  if (list.IsTruncated === undefined) throw incompleteList();
  // some endpoints send a token, or an empty one, with the last page too
  const next = list.IsTruncated ? list.NextContinuationToken : undefined;
  if (list.IsTruncated && !next) throw incompleteList();
  return {
    objects: (list.Contents ?? []).map(({ Key: key, Size, LastModified }) => {
      const size = byteCount(Size);
      if (key === undefined || size === undefined || LastModified === undefined) throw incompleteList();
      return { key, size, storedAtMs: LastModified.getTime() };
    }),
    next,
  };
}

/** The blobs on a page, without objects that are not blobs. */
export function blobsOn({ objects }: ObjectPage): readonly ListedBlob[] {
  return objects
    .filter(({ key }) => KEY.test(key))
    .map((blob) => ({ ...blob, backupId: backupIdOf(blob.key) }));
}

/** The size of an object as a list has it, for endpoints that leave it out elsewhere; `null` when there is none. */
export async function listedSize(
  client: S3Sender,
  bucket: string,
  key: string,
  abortSignal: AbortSignal,
): Promise<number | null> {
  const { objects } = await objectPage(client, { Bucket: bucket, Prefix: key, MaxKeys: 1 }, abortSignal);
  const [first] = objects;
  return first?.key === key ? first.size : null; // the list is sorted: this name would be its first
}

function incompleteList(): StorageUnavailable {
  return new StorageUnavailable("the blobs could not be listed", {
    cause: new Error("a list of S3 lacks names, sizes, times or its continuation"),
  });
}

/** The part of a name before `/blobs/`. */
function backupIdOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/blobs/"));
}
