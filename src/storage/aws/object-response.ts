/** What a response of S3 says about an object, which the SDK does not check. */
import type { PutObjectCommandOutput } from "@aws-sdk/client-s3";
import { TryAgain } from "./retry.ts";

/** A size that a response states; `undefined` where it has none or what it has is no size. */
export function byteCount(stated: number | undefined): number | undefined {
  return Number.isSafeInteger(stated) && Number(stated) >= 0 ? stated : undefined;
}

/**
 * Every response of S3 to a PUT has an ETag: without one a success is of another server, or of a proxy. The next attempt
 * finds the object, or stores it.
 *
 * @throws TryAgain
 */
export function requireStored({ ETag, ChecksumSHA256 = "" }: PutObjectCommandOutput, checksum: string): void {
  if (ETag === undefined) throw new TryAgain("the response to a PUT has no ETag");
  if (!["", checksum].includes(ChecksumSHA256)) throw new TryAgain("S3 has stored other bytes");
}
