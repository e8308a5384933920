import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { HttpResponse } from "@smithy/types";
import type { DirectService } from "./service.ts";

/** Deletions of many objects are not among them: the SDK has middleware for their checksum, and one call is a thousand. */
export const S3: DirectService = {
  operations: new Set([
    "DeleteObject",
    "GetObject",
    "HeadBucket",
    "HeadObject",
    "ListObjectsV2",
    "PutObject",
  ]),
  streamed: "GetObject",
  instructions: GetObjectCommand,
  prepare: signWithKnownHash,
  inspect(response) {
    if (endsWithError(response)) response.statusCode = 503;
    delete response.headers.expires; // nobody reads it, and the parser throws at one that is no date
  },
};

/** A body whose SHA-256 the caller knows is signed with it, where it would be hashed once more or not be signed. */
export function signWithKnownHash({ headers }: { readonly headers: Record<string, string> }): void {
  const checksum = headers["x-amz-checksum-sha256"];
  if (checksum !== undefined)
    headers["x-amz-content-sha256"] = Buffer.from(checksum, "base64").toString("hex");
}

/** S3 may begin to answer with a success before it fails. The SDK takes that for a failure of the server too. */
function endsWithError({ statusCode, body }: HttpResponse): boolean {
  return (
    statusCode < 300 && body instanceof Uint8Array && Buffer.from(body.subarray(-8)).toString() === "</Error>"
  );
}
