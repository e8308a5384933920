import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { HttpResponse } from "@smithy/types";
import type { DirectService } from "./service.ts";

/** Of the operations whose responses are no streams, lists alone have a body in their success. */
const LIST = /^\s*(?:<\?xml[^>]*>\s*)?<ListBucketResult[\s/>]/;

/** Without `DeleteObjects`: the SDK computes its checksum in middleware, and one call deletes up to a thousand objects. */
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
    if (isOfAnother(response)) response.statusCode = 503;
    delete response.headers.expires; // not used, and the parser throws if it is not a date
  },
};

/** Signs the body with a SHA-256 that the caller has computed: it would be hashed again otherwise, or not be signed. */
export function signWithKnownHash({ headers }: { readonly headers: Record<string, string> }): void {
  const checksum = headers["x-amz-checksum-sha256"];
  if (checksum !== undefined)
    headers["x-amz-content-sha256"] = Buffer.from(checksum, "base64").toString("hex");
}

/**
 * Whether a success is an error of S3, which may send its status before it fails, or the page of another server. The SDK
 * handles the error as a failure of the server too.
 */
function isOfAnother({ statusCode, body }: HttpResponse): boolean {
  if (statusCode >= 300 || !(body instanceof Uint8Array) || body.length === 0) return false;
  return !LIST.test(new TextDecoder().decode(body));
}
