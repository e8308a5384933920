import { promisify } from "node:util";
import { gzip as gzipWithCallback } from "node:zlib";

const gzip = promisify(gzipWithCallback);

/** Below this, the header and the effort cost more than compression saves. */
const MIN_COMPRESSED_BYTES = 1024;

/** The answer of a handler as JSON; compressed where the client takes it and it becomes smaller. */
export async function jsonResponse(request: Request, value: unknown, status: number): Promise<Response> {
  return compressible(request, JSON.stringify(value), "application/json", status);
}

/** A text as a response; compressed where the client takes it and it becomes smaller. */
export async function compressible(
  request: Request,
  text: string | Uint8Array,
  contentType: string,
  status = 200,
): Promise<Response> {
  const length = Buffer.byteLength(text);
  const headers = { "content-type": contentType };
  if (length < MIN_COMPRESSED_BYTES) return whole(text, length, status, headers);
  const varying = { ...headers, vary: "accept-encoding" };
  if (!acceptsGzip(request.headers.get("accept-encoding"))) return whole(text, length, status, varying);
  const compressed = await gzip(text);
  if (compressed.length >= length) return whole(text, length, status, varying);
  return whole(compressed, compressed.length, status, { ...varying, "content-encoding": "gzip" });
}

function whole(
  body: string | Uint8Array,
  length: number,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  // the server would add the length by itself, but nothing here could see it
  return new Response(body, { status, headers: { ...headers, "content-length": String(length) } });
}

/** RFC 9110 §12.5.3, as far as it concerns gzip. */
function acceptsGzip(acceptEncoding: string | null): boolean {
  return (acceptEncoding ?? "").split(",").some((entry) => {
    const [coding = "", ...parameters] = entry.split(";").map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    return (coding === "gzip" || coding === "x-gzip") && !refused;
  });
}
