import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { HttpResponse } from "@smithy/types";
import type { DirectService } from "./service.ts";

/** The element of an error, at the beginning or at the end of a document. */
const ERROR = /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s/>]|<\/Error\s*>\s*$/;

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
    if (isError(response)) response.statusCode = 503;
    delete response.headers.expires; // not used, and the parser throws if it is not a date
  },
};

/** Signs the body with a SHA-256 that the caller has computed: it would be hashed again otherwise, or not be signed. */
export function signWithKnownHash({ headers }: { readonly headers: Record<string, string> }): void {
  const checksum = headers["x-amz-checksum-sha256"];
  if (checksum !== undefined)
    headers["x-amz-content-sha256"] = Buffer.from(checksum, "base64").toString("hex");
}

/** S3 may send the status of a success before it fails. The SDK handles that as a failure of the server too. */
function isError({ statusCode, body }: HttpResponse): boolean {
  return statusCode < 300 && body instanceof Uint8Array && ERROR.test(new TextDecoder().decode(body));
}
