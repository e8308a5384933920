/** Reads environment variables one by one and collects all problems. */
import { isLoopbackHost } from "../runtime/loopback.ts";
import { readSecretFile } from "./secret-file.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** An empty value counts as unset. */
export class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  problem(sentence: string): void {
    this.problems.push(sentence);
  }

  optional(name: string): string | null {
    const value = this.#env[name]?.trim();
    return value === undefined || value === "" ? null : value;
  }

  /** Whether a secret is given, in the variable or by a file. Reads no file. */
  hasSecret(name: string): boolean {
    return this.optional(name) !== null || this.optional(`${name}_FILE`) !== null;
  }

  /**
   * The value of the variable, or the content of the file that the variable `<name>_FILE` names. `null` where neither is
   * set, and where both are or the file cannot be used, which is reported. Called once for each name.
   */
  secret(name: string): string | null {
    const value = this.optional(name);
    const path = this.optional(`${name}_FILE`);
    if (path === null) return value;
    const file =
      value === null ? readSecretFile(path) : { problem: `and ${name} are both set: set one of them` };
    if ("secret" in file) return file.secret;
    this.problem(`${name}_FILE ${file.problem}`);
    return null;
  }

  text(name: string, fallback: string): string {
    return this.optional(name) ?? fallback;
  }

  /** @param because follows "is required" in the message. */
  required(name: string, because: string): string {
    const value = this.optional(name);
    if (value === null) this.problem(`${name} is required ${because}`);
    return value ?? "";
  }

  /** Comma-separated; `null` if unset. */
  list(name: string): readonly [string, ...string[]] | null {
    const value = this.optional(name);
    if (value === null) return null;
    const [first, ...rest] = value
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "");
    if (first !== undefined) return [first, ...rest];
    this.problem(`${name} has no entry, only commas`);
    return null;
  }

  oneOf<const T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.optional(name);
    if (value === null) return fallback;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) this.problem(`${name} must be one of ${choices.join(", ")}, not "${value}"`);
    return choice ?? fallback;
  }

  requiredOneOf<const T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    if (this.optional(name) === null) this.problem(`${name} is required: one of ${choices.join(", ")}`);
    return this.oneOf(name, choices, choices[0]);
  }

  boolean(name: string, fallback: boolean): boolean {
    return this.oneOf(name, ["true", "false"], fallback ? "true" : "false") === "true";
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.optional(name);
    if (value === null) return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.problem(`${name} must be a whole number from ${min} to ${max}, not "${value}"`);
    return fallback;
  }

  /**
   * The URL of a key set. Keys fetched over `http:` can be replaced in transit, so `http:` is accepted for loopback hosts
   * only, unless `allowHttp`.
   */
  keyUrl(name: string, allowHttp: boolean): string | null {
    const value = this.url(name);
    const url = value === null ? null : new URL(value);
    if (url?.protocol === "http:" && !allowHttp && !isLoopbackHost(url.hostname))
      this.problem(`${name} must be an https URL outside development, unless its host is loopback`);
    return value;
  }

  url(name: string): string | null {
    const value = this.optional(name);
    if (value === null) return null;
    const url = URL.parse(value);
    if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return value;
    this.problem(`${name} must be an http or https URL, not "${value}"`);
    return null;
  }

  /** Origins of web pages as browsers send them (RFC 6454 §6.2), comma-separated. */
  origins(name: string): readonly string[] {
    const origins = this.list(name) ?? [];
    for (const origin of origins)
      if (!isOrigin(origin))
        this.problem(
          `${name}: "${origin}" is not an origin: scheme://host[:port] in lower case, no path, no default port, no *`,
        );
    return origins;
  }
}

/** Origins of apps in a web view may have a custom scheme, such as `capacitor://localhost`. */
function isOrigin(text: string): boolean {
  if (text.includes("*")) return false;
  if (/^https?:/i.test(text)) return URL.parse(text)?.origin === text;
  return /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(?::\d+)?$/.test(text);
}
