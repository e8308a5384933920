/** JSON (RFC 8259) read, and made canonical, by other code than the service's. */

const MAX_DEPTH = 127;

interface Member {
  readonly form: string;
  readonly depth: number;
  /** Why it has no canonical form; it does not matter where a later member of the same name takes its place. */
  readonly isInvalid: boolean;
}

class NoJson extends Error {}

/** The canonical form; `null` where the text is not JSON or has none. */
export function referenceCanonical(text: string): string | null {
  try {
    const reader = new Reader(text);
    const { form, depth, isInvalid } = reader.document();
    return isInvalid || depth > MAX_DEPTH ? null : form;
  } catch (error) {
    if (error instanceof NoJson) return null;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Member {
    const value = this.#value();
    this.#skip();
    if (this.#at !== this.#text.length) throw new NoJson();
    return value;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) throw new NoJson();
    this.#at += found.length;
    return found;
  }

  #skip(): void {
    this.#match(/[ \t\r\n]*/y);
  }

  #takes(character: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #value(): Member {
    if (this.#takes("{")) return this.#object();
    if (this.#takes("[")) return this.#array();
    if (this.#text[this.#at] === '"') return leaf(this.#string());
    if (/[-0-9]/.test(this.#text[this.#at] ?? "")) return leaf(numberForm(this.#number()));
    return leaf(this.#match(/true|false|null/y));
  }

  #array(): Member {
    const items: Member[] = [];
    if (!this.#takes("]")) {
      do items.push(this.#value());
      while (this.#takes(","));
      if (!this.#takes("]")) throw new NoJson();
    }
    return around(items, `[${items.map(({ form }) => form).join(",")}]`);
  }

  #object(): Member {
    const members = new Map<string, Member & { readonly key: Member }>();
    if (!this.#takes("}")) {
      do {
        this.#skip();
        const name = this.#match(STRING);
        if (!this.#takes(":")) throw new NoJson();
        members.set(JSON.parse(name), { ...this.#value(), key: leaf(stringForm(name)) });
      } while (this.#takes(","));
      if (!this.#takes("}")) throw new NoJson();
    }
    const kept = [...members].filter(([, { form }]) => form !== "null");
    kept.sort(([one], [other]) => Buffer.compare(utf32(one), utf32(other)));
    const form = `{${kept.map(([, { form, key }]) => `${key.form}:${form}`).join(",")}}`;
    return around(
      [...members.values()].flatMap((member) => [member, member.key]),
      form,
    );
  }

  #string(): string | null {
    return stringForm(this.#match(STRING));
  }

  #number(): string {
    return this.#match(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y);
  }
}

const STRING = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;

function leaf(form: string | null): Member {
  return { form: form ?? "", depth: 0, isInvalid: form === null };
}

function around(members: readonly Member[], form: string): Member {
  const depth = 1 + Math.max(0, ...members.map((member) => member.depth));
  return { form, depth, isInvalid: members.some(({ isInvalid }) => isInvalid) };
}

function stringForm(source: string): string | null {
  const value: string = JSON.parse(source);
  if (!source.includes("\\") && source.isWellFormed()) return source;
  if (!value.isWellFormed()) return null;
  const escapes = new Map([..."\b\f\n\r\t"].map((character, index) => [character, `\\${"bfnrt"[index]}`]));
  const escaped = [...value].map((character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    const unit = character.charCodeAt(0);
    return unit >= 0x20 ? character : (escapes.get(character) ?? `\\u${unit.toString(16).padStart(4, "0")}`);
  });
  return `"${escaped.join("")}"`;
}

/** In UTF-32 the order of bytes is that of code points. */
function utf32(text: string): Buffer {
  const points = [...text];
  const bytes = Buffer.alloc(4 * points.length);
  for (const [index, point] of points.entries()) bytes.writeUInt32BE(point.codePointAt(0) ?? 0, 4 * index);
  return bytes;
}

/** Integers by their digits; others by the fewest digits that read back as the same double. */
function numberForm(source: string): string | null {
  if (/^-?[0-9]+$/.test(source) && source !== "-0") return source;
  const value = Number(source);
  if (!Number.isFinite(value)) return null;
  const sign = source.startsWith("-") ? "-" : "";
  if (value === 0) return `${sign}0.0`;
  const { digits, power } = shortest(Math.abs(value));
  if (power < -5 || power > 15)
    return `${sign}${digits.slice(0, 1)}${digits.length > 1 ? "." : ""}${digits.slice(1)}e${power}`;
  const padded = power < 0 ? `${"0".repeat(-power)}${digits}` : digits.padEnd(power + 2, "0");
  const whole = Math.max(1, power + 1);
  return `${sign}${padded.slice(0, whole)}.${padded.slice(whole) || "0"}`;
}

/** Rounds the exact digits, half to even, to as few as read back; `digits` begin with the one at 10 to the `power`. */
function shortest(magnitude: number): { readonly digits: string; readonly power: number } {
  const [mantissa = "", exponent = ""] = magnitude.toExponential(99).split("e"); // what is cut off decides no tie
  const exact = mantissa.replace(".", "");
  for (let count = 1; count < 18; count++) {
    const rest = exact.slice(count).replace(/0+$/, "");
    const down = BigInt(exact.slice(0, count));
    const isUp = rest > "5" || (rest === "5" && down % 2n === 1n);
    const rounded = String(isUp ? down + 1n : down);
    if (Number(`${rounded}e${Number(exponent) - count + 1}`) !== magnitude) continue;
    const power = Number(exponent) + rounded.length - count;
    return { digits: rounded.replace(/0+$/, ""), power };
  }
  throw new Error(`no 17 digits read back as ${magnitude}`);
}
