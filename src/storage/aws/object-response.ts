/** What a response of S3 says about an object, which the SDK does not check. */
import {
  HeadObjectCommand,
  type HeadObjectCommandInput,
  type HeadObjectCommandOutput,
} from "@aws-sdk/client-s3";
import type { S3Sender } from "./clients.ts";
import { TryAgain } from "./retry.ts";

/** A size that a response states; `undefined` where it has none or what it has is no size. */
export function byteCount(stated: number | undefined): number | undefined {
  return Number.isSafeInteger(stated) && Number(stated) >= 0 ? stated : undefined;
}

/** Whether a success is the page of another server, such as a proxy. No object here has that type. */
export function isPage({ ContentType }: { readonly ContentType?: string | undefined }): boolean {
  return ContentType?.startsWith("text/html") === true;
}

/** What a HEAD says about an object. @throws TryAgain when another server has responded; what the SDK throws. */
export async function objectHead(
  client: S3Sender,
  query: HeadObjectCommandInput,
  abortSignal: AbortSignal,
): Promise<HeadObjectCommandOutput> {
  const found = await client.send(new HeadObjectCommand(query), { abortSignal });
  if (isPage(found)) throw new TryAgain("another server has responded");
  return found;
}
