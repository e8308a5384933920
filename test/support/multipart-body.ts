/** Multipart bodies written by hand (RFC 7578), whole or broken. */

export interface PartText {
  readonly disposition: string;
  readonly headers?: readonly string[];
  readonly content: string | Uint8Array;
}

export interface Framing {
  readonly boundary?: string;
  readonly preamble?: string;
  readonly epilogue?: string;
}

export const BOUNDARY = "----a-boundary";

export function part(
  name: string,
  content: string | Uint8Array,
  more = "",
  headers: readonly string[] = [],
): PartText {
  return { disposition: `form-data; name="${name}"${more}`, headers, content };
}

export function multipartBody(parts: readonly PartText[], framing: Framing = {}): Uint8Array {
  const { boundary = BOUNDARY, preamble = "", epilogue = "\r\n" } = framing;
  const pieces: (string | Uint8Array)[] = [preamble];
  for (const { disposition, headers = [], content } of parts)
    pieces.push(
      `--${boundary}\r\ncontent-disposition: ${disposition}\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`,
      content,
      "\r\n",
    );
  pieces.push(`--${boundary}--${epilogue}`);
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}

export function multipartType(boundary = BOUNDARY): string {
  return `multipart/form-data; boundary=${boundary}`;
}

/** A body with every `from` replaced by `to`. */
export function changedBody(
  parts: Parameters<typeof multipartBody>[0],
  from: string,
  to: string,
): Uint8Array {
  const text = Buffer.from(multipartBody(parts)).toString("latin1");
  if (!text.includes(from)) throw new Error("there is nothing to change");
  return Buffer.from(text.replaceAll(from, Buffer.from(to).toString("latin1")), "latin1");
}
