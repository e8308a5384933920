/** The headers of a multipart/form-data body and of its parts (RFC 7578 §4): only boundary and names matter. */
import { ServiceError } from "../../errors.ts";

/**
 * 1 to 70 characters, the last no space (RFC 2046 §5.1.1). Besides those of RFC 2046 a boundary may have every character
 * of a token (RFC 9110 §5.6.2): libraries use `*`, and unquoted they are valid in a content-type.
 */
const BOUNDARY = /^(?!.* $)[\w'()+,\-./:=? !#$%&*^`|~]{1,70}$/;
/** Longer than with the longest name of a file. A part with a longer disposition is ignored. */
const MAX_DISPOSITION_LENGTH = 2 * 1024;
const FOLD = /\r\n[ \t]+/g;
const DISPOSITION = /^content-disposition[ \t]*:(.*)$/is;
const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;

/** @param problem ends the message. */
export function malformed(problem: string): ServiceError {
  return new ServiceError(
    "multipart_error",
    `The body must be multipart/form-data with the parts payload and backup: ${problem}`,
  );
}

/**
 * The boundary that a content-type names.
 *
 * @throws ServiceError `multipart_error` where it is not multipart/form-data or names no valid one.
 */
export function boundaryOf(contentType: string): string {
  const [, quoted, token] =
    /^multipart\/form-data\s*;(?:[^"]|"[^"]*")*?(?<=[;\s])boundary=(?:"([^"]*)"|([^\s;"]*))/i.exec(
      contentType,
    ) ?? [];
  const boundary = quoted ?? token ?? "";
  if (BOUNDARY.test(boundary)) return boundary;
  throw malformed(
    /^\s*multipart\/form-data\s*(;|$)/i.test(contentType)
      ? "its content-type names no valid boundary"
      : "its content-type is not multipart/form-data",
  );
}

/**
 * The name that headers give to a part; `null` if the disposition is too long to be of a known part.
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
