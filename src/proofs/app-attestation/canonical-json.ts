/**
 * One spelling for each JSON text (RFC 8259), so that two parties can compare hashes of a document. Works on the text,
 * because a parsed document has lost what must not be lost: the digits of large integers, and that `1.0` is no integer.
 */

/** As deep as the parties that compute the same spelling go. */
const MAX_DEPTH = 127;

/** The text is not JSON, or is nested too deep, or has a number or string that has no value. */
export class InvalidJson extends Error {
  constructor(problem: string, position: number) {
    super(`${problem} at position ${position}`);
    this.name = "InvalidJson";
  }
}

/**
 * The canonical spelling of a JSON text: no white space; object members sorted by the code points of their keys, the
 * last of equal keys counts, and `null` members are left out; strings with no more escapes than needed; integers by
 * their digits; other numbers as {@link canonicalDouble}.
 *
 * @throws InvalidJson
 */
export function canonicalJson(text: string): string {
  const reader = new Reader(text);
  const canonical = reader.value(0);
  reader.end();
  return canonical;
}

/** An object from members that are in canonical form already. */
export function canonicalObject(members: ReadonlyMap<string, string>): string {
  const sorted = [...members].filter(([, value]) => value !== "null");
  sorted.sort(([a], [b]) => compareCodePoints(a, b));
  return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
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

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads a value and returns its canonical spelling. */
  value(depth: number): string {
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(this.#deeper(depth));
      case "[":
        return this.#array(this.#deeper(depth));
      case '"':
        return JSON.stringify(this.#string());
      case "t":
        return this.#word("true");
      case "f":
        return this.#word("false");
      case "n":
        return this.#word("null");
      default:
        return this.#number();
    }
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#invalid("more than one value");
  }

  #object(depth: number): string {
    const members = new Map<string, string>();
    if (!this.#takes("}")) {
      do {
        this.#skipSpace();
        if (this.#text[this.#at] !== '"') throw this.#invalid("no key");
        const key = this.#string();
        if (!this.#takes(":")) throw this.#invalid("no colon");
        members.set(key, this.value(depth));
      } while (this.#takes(","));
      if (!this.#takes("}")) throw this.#invalid("an object without an end");
    }
    return canonicalObject(members);
  }

  #array(depth: number): string {
    const elements: string[] = [];
    if (!this.#takes("]")) {
      do elements.push(this.value(depth));
      while (this.#takes(","));
      if (!this.#takes("]")) throw this.#invalid("an array without an end");
    }
    return `[${elements.join(",")}]`;
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    for (let unit = this.#text.charCodeAt(end); unit !== QUOTE; unit = this.#text.charCodeAt(end)) {
      if (Number.isNaN(unit)) throw this.#invalid("a string without an end");
      end += unit === BACKSLASH ? 2 : 1;
    }
    this.#at = end + 1;
    const value = this.#parsedString(start, this.#at);
    // Half a surrogate pair has no spelling in UTF-8, so a hash over it would depend on who computes it.
    if (!value.isWellFormed()) throw this.#invalid("half a surrogate pair");
    return value;
  }

  #parsedString(start: number, end: number): string {
    try {
      return String(JSON.parse(this.#text.slice(start, end)));
    } catch {
      throw this.#invalid("an invalid escape or a control character");
    }
  }

  #number(): string {
    NUMBER.lastIndex = this.#at;
    const [lexeme, fraction, exponent] = NUMBER.exec(this.#text) ?? [];
    if (lexeme === undefined) throw this.#invalid("no value");
    this.#at = NUMBER.lastIndex;
    // An integer has no minus zero, so that one is a double.
    if (fraction === undefined && exponent === undefined && lexeme !== "-0") return lexeme;
    const value = Number(lexeme);
    if (!Number.isFinite(value)) throw this.#invalid("a number out of range");
    return canonicalDouble(value);
  }

  #word(word: string): string {
    if (!this.#text.startsWith(word, this.#at)) throw this.#invalid("no value");
    this.#at += word.length;
    return word;
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "end")) this.#at++;
  }

  #deeper(depth: number): number {
    if (depth === MAX_DEPTH) throw this.#invalid("nested too deep");
    this.#at++;
    return depth + 1;
  }

  #invalid(problem: string): InvalidJson {
    return new InvalidJson(problem, this.#at);
  }
}
