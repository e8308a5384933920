/** Multipart forms (RFC 7578) read as a whole, by other code than the service's. */
import { MAX_PART_HEADER_BYTES } from "../../../src/runtime/sizes.ts";

export interface ReadForm {
  /** The content as Latin-1; `null` where there is no such part. */
  readonly payload: string | null;
  readonly backup: string | null;
}

const MAX_PARTS = 16;
const MAX_DISPOSITION = 2 * 1024;

/** `null` for a malformed form. */
export function referenceForm(body: Uint8Array, boundary: string): ReadForm | null {
  const text = `\r\n${Buffer.from(body).toString("latin1")}`;
  const delimiter = `\r\n--${boundary}`;
  const found = new Map<string, string>();
  let at = behind(text, delimiter, 0);
  for (let parts = 0; at !== null; parts++) {
    if (text.startsWith("--", at)) return formOf(found);
    const lineEnd = text.indexOf("\r\n", at);
    const headersEnd = text.indexOf("\r\n\r\n", lineEnd);
    if (parts === MAX_PARTS || lineEnd === -1 || headersEnd === -1) return null;
    if (!/^[ \t]*$/.test(text.slice(at, lineEnd))) return null;
    if (lineEnd - at > MAX_PART_HEADER_BYTES || headersEnd - lineEnd > MAX_PART_HEADER_BYTES) return null;
    const name = nameIn(Buffer.from(text.slice(lineEnd, headersEnd), "latin1").toString("utf8"));
    if (name === undefined) return null;
    const isKnown = name === "payload" || name === "backup";
    if (isKnown && found.has(name)) return null;
    // the line break behind the headers may begin the next delimiter
    const isEmpty = text.startsWith(delimiter, headersEnd + 2);
    const start = headersEnd + (isEmpty ? 2 : 4);
    at = behind(text, delimiter, start);
    if (isKnown && at !== null) found.set(name, text.slice(start, at - delimiter.length));
  }
  return null;
}

function behind(text: string, delimiter: string, from: number): number | null {
  const at = text.indexOf(delimiter, from);
  return at === -1 ? null : at + delimiter.length;
}

function formOf(found: ReadonlyMap<string, string>): ReadForm {
  return { payload: found.get("payload") ?? null, backup: found.get("backup") ?? null };
}

/** The name of a part; `null` where it does not matter, `undefined` where the headers are malformed. */
function nameIn(headers: string): string | null | undefined {
  const lines = headers.split("\r\n").reduce<string[]>((unfolded, line) => {
    const last = unfolded.length - 1;
    if (/^[ \t]/.test(line) && last >= 0) unfolded[last] += ` ${line.replace(/^[ \t]+/, "")}`;
    else unfolded.push(line);
    return unfolded;
  }, []);
  const fields = lines.filter((line) => line !== "").map((line) => line.split(/:(.*)/s));
  if (fields.some(([, value]) => value === undefined)) return undefined;
  const isDisposition = (name = "") => name.replace(/[ \t]+$/, "").toLowerCase() === "content-disposition";
  const value = fields.find(([name]) => isDisposition(name))?.[1];
  if (value === undefined) return undefined;
  if (value.length > MAX_DISPOSITION) return null;
  const parameters = parametersOf(value);
  const isCoded = ([key, text, isQuoted]: Parameter) =>
    key.endsWith("*") && !isQuoted && /%(?![\da-f]{2})/i.test(text);
  if (parameters.some(isCoded)) return undefined;
  return parameters.find(([key]) => key.toLowerCase() === "name")?.[1];
}

type Parameter = readonly [key: string, value: string, isQuoted: boolean];

/** Character by character: `; key = value`, the value in quotes or up to the next semicolon. */
function parametersOf(text: string): Parameter[] {
  const parameters: Parameter[] = [];
  for (let at = text.indexOf(";"); at !== -1; at = text.indexOf(";", at)) {
    at++;
    const [, space = "", key = "", equals = ""] = /^(\s*)([^\s=;"]+)(\s*=\s*)/.exec(text.slice(at)) ?? [];
    if (key === "") continue;
    const start = at + space.length + key.length + equals.length;
    const quoted = text[start] === '"' ? closingQuote(text, start) : -1;
    const end =
      quoted !== -1 ? quoted + 1 : text.indexOf(";", start) === -1 ? text.length : text.indexOf(";", start);
    const value = quoted !== -1 ? text.slice(start + 1, quoted) : text.slice(start, end).trim();
    parameters.push([key, value, quoted !== -1]);
    at = end;
  }
  return parameters;
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === "\\") at++;
    if (/[\n\r\u2028\u2029]/.test(text[at] ?? "") && text[at - 1] === "\\") return -1;
  }
  return -1;
}
