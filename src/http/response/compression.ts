import { promisify } from "node:util";
import { gzip as gzipWithCallback } from "node:zlib";

/** Compresses beside the thread of JavaScript. */
export const gzip = promisify(gzipWithCallback);

/** Compression of less costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;

/** A text as a response, compressed if the client accepts that and it becomes smaller. */
export async function compressible(
  request: Request,
  text: string | Uint8Array,
  contentType: string,
  status = 200,
): Promise<Response> {
  let body: string | Uint8Array = text;
  let length = Buffer.byteLength(text);
  const headers: Record<string, string> = { "content-type": contentType };
  if (length >= MIN_COMPRESSED_BYTES) {
    headers.vary = "accept-encoding";
    const compressed = acceptsGzip(request.headers.get("accept-encoding")) ? await gzip(text) : null;
    if (compressed !== null && compressed.length < length) {
      headers["content-encoding"] = "gzip";
      body = compressed;
      length = compressed.length;
    }
  }
  headers["content-length"] = String(length); // the server would add it too late for metrics
  return new Response(body, { status, headers });
}

/** RFC 9110 §12.5.3, as far as it concerns gzip. */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  return (acceptEncoding ?? "").split(",").some((entry) => {
    const [coding = "", ...parameters] = entry.split(";").map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return (coding === "gzip" || coding === "x-gzip") && !refused;
  });
}
