/**
 * The canonical form of a JSON text (RFC 8259), so that two parties can compare hashes of a document. Numbers are taken
 * from the text: as a double, a large integer loses digits and `1.0` looks like an integer.
 */

/** As deep as the other parties that compute the canonical form go. */
const MAX_DEPTH = 127;

/** The text is not JSON, is nested too deeply, or has a number or string without a canonical form. */
export class InvalidJson extends Error {
  constructor(problem: string, cause?: unknown) {
    super(problem, { cause });
    this.name = "InvalidJson";
  }
}

/** A value in canonical form. `depth` counts the levels of arrays and objects. */
interface Canonical {
  readonly form: string;
  readonly depth: number;
}

/** What a reviver of `JSON.parse` gets, when it has made the members of arrays and objects canonical before. */
type Parsed = string | number | boolean | null | Canonical[] | Readonly<Record<string, Canonical>>;

/**
 * The canonical form of a JSON text: no white space; object members sorted by the code points of their keys, the last
 * of equal keys counts, and `null` members are left out; strings with no more escapes than needed; integers by their
 * digits; other numbers as {@link canonicalDouble}.
 *
 * @throws InvalidJson
 */
export function canonicalJson(text: string): string {
  try {
    const { form }: Canonical = JSON.parse(text, canonical);
    return form;
  } catch (error) {
    if (error instanceof InvalidJson) throw error;
    throw new InvalidJson("not JSON", error);
  }
}

/** An object from members that are in canonical form already. */
export function canonicalObject(members: Iterable<readonly [key: string, form: string]>): string {
  const sorted = [...members].filter(([, form]) => form !== "null");
  sorted.sort(([a], [b]) => compareCodePoints(a, b));
  return `{${sorted.map(([key, form]) => `${JSON.stringify(key)}:${form}`).join(",")}}`;
}

/**
 * The shortest decimal that reads back as the same double (IEEE 754 binary64), with the mark of a non-integer: a
 * point (`1.0`, `0.00001`, `1234.5`) for magnitudes from 1e-5 to below 1e16, an exponent (`1e16`, `1.5e-7`) otherwise.
 */
export function canonicalDouble(value: number): string {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (value === 0) return `${sign}0.0`;
  const [mantissa = "", exponent = ""] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const pointAt = Number(exponent) + 1;
  if (pointAt > 16 || pointAt <= -5) return `${sign}${mantissa}e${pointAt - 1}`;
  if (pointAt <= 0) return `${sign}0.${"0".repeat(-pointAt)}${digits}`;
  const whole = digits.slice(0, pointAt).padEnd(pointAt, "0");
  return `${sign}${whole}.${digits.slice(pointAt) || "0"}`;
}

/**
 * A reviver of `JSON.parse`. `source` is the text of a number, string or literal. An engine that does not pass it
 * (Hermes, Safari before 18.4) has the text of a number right where `JSON.stringify` wrote it.
 */
function canonical(_key: string, value: Parsed, context?: { readonly source?: string }): Canonical {
  if (typeof value === "number") {
    return { form: canonicalNumber(context?.source ?? JSON.stringify(value)), depth: 0 };
  }
  if (typeof value === "string") return { form: JSON.stringify(wellFormed(value)), depth: 0 };
  if (typeof value === "boolean" || value === null) return { form: String(value), depth: 0 };
  const depth = 1 + Object.values(value).reduce((deepest, member) => Math.max(deepest, member.depth), 0);
  if (depth > MAX_DEPTH) throw new InvalidJson("nested too deeply");
  if (Array.isArray(value)) return { form: `[${value.map(({ form }) => form).join(",")}]`, depth };
  const members = Object.entries(value).map(([key, { form }]) => [wellFormed(key), form] as const);
  return { form: canonicalObject(members), depth };
}

function canonicalNumber(source: string): string {
  if (/^-?[0-9]+$/.test(source) && source !== "-0") return source; // an integer has no minus zero
  const value = Number.parseFloat(source);
  if (!Number.isFinite(value)) throw new InvalidJson("a number out of range");
  return canonicalDouble(value);
}

/**
 * Half a surrogate pair has no encoding in UTF-8, so its hash would depend on who computes it. With the flag `u` a whole
 * pair is one code point, and does not match.
 */
function wellFormed(text: string): string {
  if (/[\uD800-\uDFFF]/u.test(text)) throw new InvalidJson("half a surrogate pair");
  return text;
}

/** JavaScript compares UTF-16 units, which puts U+E000 to U+FFFF after the characters beyond. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const difference = rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Moves surrogates above all other units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
