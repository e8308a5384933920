/** The headers of a part (RFC 7578 §4): only the name is needed. */
import { malformed } from "./malformed-multipart.ts";

/** Longer than with the longest name of a file. What is longer is passed over. */
const MAX_DISPOSITION_LENGTH = 2 * 1024;
const FOLD = /\r\n[ \t]+/g;
const DISPOSITION = /^content-disposition[ \t]*:(.*)$/is;
const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;

/**
 * The name that headers give to a part; `null` for one that is too long to be ours.
 *
 * @throws ServiceError `multipart_error`.
 */
export function partName(headers: string): string | null {
  const lines = headers
    .replace(FOLD, " ")
    .split("\r\n")
    .filter((line) => line !== "");
  if (lines.some((line) => !line.includes(":"))) throw malformed("the headers of a part are malformed");
  const disposition = lines.map((line) => DISPOSITION.exec(line)?.[1]).find((value) => value !== undefined);
  if (disposition !== undefined && disposition.length > MAX_DISPOSITION_LENGTH) return null;
  let name: string | null = null;
  for (const [, key = "", quoted, plain = ""] of (disposition ?? "").matchAll(PARAMETER)) {
    if (key.toLowerCase() === "name") name ??= quoted ?? plain.trim();
    if (key.endsWith("*") && !isDecodable(plain)) throw malformed("a parameter of a part cannot be decoded");
  }
  if (name === null) throw malformed("a part has no name");
  return name;
}

/** RFC 8187 §3.2. */
function isDecodable(value: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(value);
}
