/** Reads the body of a request to S3 and checks everything that its headers and trailers say of it. */
import { createHash } from "node:crypto";

export interface ReceivedBody {
  readonly content: Uint8Array;
}

/** Something that S3 refuses. */
export class BadRequest extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

const CHECKSUMS: Readonly<Record<string, (content: Uint8Array) => string>> = {
  "x-amz-checksum-crc32": (content) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(Bun.hash.crc32(content));
    return sum.toString("base64");
  },
  "x-amz-checksum-sha256": (content) => createHash("sha256").update(content).digest("base64"),
};

/** @throws BadRequest when there is no length, or a checksum or the signed hash does not fit. */
export async function receiveBody(request: Request): Promise<ReceivedBody> {
  const { headers } = request;
  if (
    request.method === "PUT" &&
    !headers.has("content-length") &&
    !headers.has("x-amz-decoded-content-length")
  )
    throw new BadRequest(411, "MissingContentLength");
  const raw = new Uint8Array(await request.arrayBuffer());
  const signed = headers.get("x-amz-content-sha256");
  if (signed === null) throw new BadRequest(400, "MissingSecurityHeader");

  const sums = new Map([...headers].filter(([name]) => name.startsWith("x-amz-checksum-")));
  sums.delete("x-amz-checksum-mode");
  let content: Uint8Array = raw;
  if (signed.startsWith("STREAMING-")) {
    const decoded = decodeChunks(Buffer.from(raw.buffer));
    content = decoded.content;
    if (content.length !== Number(headers.get("x-amz-decoded-content-length")))
      throw new BadRequest(400, "IncompleteBody");
    for (const [name, value] of decoded.trailers) sums.set(name, value);
    const announced = headers.get("x-amz-trailer");
    if (announced !== null && !sums.has(announced)) throw new BadRequest(400, "MalformedTrailerError");
  } else if (signed !== "UNSIGNED-PAYLOAD" && signed !== createHash("sha256").update(raw).digest("hex"))
    throw new BadRequest(400, "XAmzContentSHA256Mismatch");

  for (const [name, value] of sums) {
    const checksum = CHECKSUMS[name];
    if (checksum === undefined) throw new BadRequest(501, "NotImplemented");
    if (checksum(content) !== value) throw new BadRequest(400, "BadDigest");
  }
  return { content };
}

/** `aws-chunked`: `<hex size>[;extension]\r\n<data>\r\n`, a chunk of size 0, then trailers. */
function decodeChunks(raw: Buffer): { content: Uint8Array; trailers: [string, string][] } {
  const chunks: Buffer[] = [];
  let position = 0;
  for (;;) {
    const lineEnd = raw.indexOf("\r\n", position);
    const size = Number.parseInt(raw.toString("latin1", position, lineEnd), 16);
    if (lineEnd === -1 || Number.isNaN(size)) throw new BadRequest(400, "IncompleteBody");
    position = lineEnd + 2;
    if (size === 0) break;
    chunks.push(raw.subarray(position, position + size));
    position += size + 2;
  }
  const trailers = raw
    .toString("latin1", position)
    .split("\r\n")
    .flatMap((line): [string, string][] => {
      const [, name, value] = /^([^:]+):(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value.trim()]];
    });
  return { content: Buffer.concat(chunks), trailers };
}
