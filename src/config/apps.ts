/** The file that APPS_FILE names: the apps that one process serves, and what each sets for itself. */
import { readFileSync } from "node:fs";
import { errorCode } from "../runtime/system-errors.ts";
import { ConfigError } from "./config-error.ts";
import { type Environment, EnvironmentReader } from "./environment.ts";

/** One of several apps: what is stored of it and what it responds to is its own. */
export interface AppConfig {
  /** 1 to 32 of `a-z 0-9 -`; never changes. */
  readonly name: string;
  /**
   * The name in what is stored; `null` for the app whose stored form is that of an installation without apps. At most one
   * app has `null`.
   */
  readonly scope: string | null;
  /** The host names whose requests are for the app, in lower case. No other app has them. */
  readonly hosts: readonly string[];
  /** The values of {@link header} that say the same. */
  readonly headerValues: readonly string[];
  /** The header by which a trusted proxy names the app, in lower case; `null` where there is none. The same for all apps. */
  readonly header: string | null;
}

/** An app, with the environment of the process as it is for this app. */
export interface AppEntry {
  readonly app: AppConfig;
  /** Where the app is in the file, as a JSON Pointer (RFC 6901). */
  readonly path: string;
  readonly env: Environment;
}

/** The variables that an app may set for itself. Those that it does not set are those of the process. */
const SETTINGS = new RegExp(
  `^(${[
    "WEBAUTHN_(RP_ID|RP_NAME|ORIGINS)",
    "(ANDROID|APPLE)_APPS",
    "GOOGLE_(CLIENT_ID|ISSUER|JWKS_URL)",
    "APPLE_(CLIENT_IDS|ISSUER|JWKS_URL)",
    "ATTESTATION(_GATEWAY_URL|_ISSUER|_AUDIENCE)?",
    "ADD_FACTOR_(EXISTING_OIDC|BINDING)",
    "ENFORCE_BACKUP_ACCOUNT_PROOF",
    "RATE_LIMITS",
    "RATE_LIMIT_ADDRESS_(CHALLENGES|FAILURES|DESTRUCTIONS|STATUS)_PER_MINUTE",
    "RATE_LIMIT_ADDRESS_(CREATES|CREATED_BYTES)_PER_HOUR",
    "RATE_LIMIT_BACKUP_(FAILURES|DESTRUCTIONS|RESTORES)_PER_HOUR",
    "MAX_(BACKUP_BYTES|MAIN_FACTORS|SYNC_FACTORS)",
    "VERSIONS_KEEP_(LAST|DAYS)",
    "(DELETED|EVENTS)_KEEP_DAYS",
    "ADOPT_FROM_(S3_BUCKET|DYNAMODB_TABLE|AWS_REGION|AWS_ENDPOINT_URL)",
  ].join("|")})$`,
);
/** Those that are never inherited: the backups of another service are those of one app. */
const OWN = /^ADOPT_FROM_/;

const NAME = /^[a-z0-9-]{1,32}$/;
const HOST =
  /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$|^\[[0-9a-f:.]+\]$/;
const HEADER_VALUE = /^[!-~]{1,256}$/;
const HEADER = /^[a-z0-9-]{1,64}$/;

/**
 * The apps of the file; `null` where APPS_FILE is not set. Problems of the file are reported, each with its place; then the
 * apps may be incomplete. What they set is not checked here.
 *
 * @param read of `env`.
 */
export function readApps(read: EnvironmentReader, env: Environment): readonly AppEntry[] | null {
  const path = read.optional("APPS_FILE");
  if (path === null) return null;
  const file = contentOf(path);
  if ("content" in file) return new AppsFile(env, read).read(file.content);
  read.problem(file.problem);
  return [];
}

/** As {@link readApps}. @throws ConfigError with all problems together. */
function appsOf(env: Environment): readonly AppEntry[] | null {
  const read = new EnvironmentReader(env);
  const apps = readApps(read, env);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return apps;
}

/**
 * The app that an operator names.
 *
 * @param name `undefined` where none is named, which is right without APPS_FILE only.
 * @throws ConfigError
 */
export function namedApp(
  env: Environment,
  name: string | undefined,
): { readonly scope: string | null; readonly env: Environment } {
  const apps = appsOf(env);
  if (apps === null && name === undefined) return { scope: null, env };
  if (apps === null) throw new ConfigError(["--app is for a service with several apps: set APPS_FILE"]);
  const found = apps.find(({ app }) => app.name === name);
  if (found !== undefined) return { scope: found.app.scope, env: found.env };
  const names = apps.map(({ app }) => app.name).join(", ");
  throw new ConfigError([`Name one of the apps in APPS_FILE: --app takes ${names}`]);
}

/** What the ids of the apps that are served begin with, as {@link AppConfig.scope}. @throws ConfigError */
export function servedScopes(env: Environment): readonly (string | null)[] {
  return appsOf(env)?.map(({ app }) => app.scope) ?? [null];
}

function contentOf(path: string): { readonly content: unknown } | { readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { problem: `APPS_FILE cannot be read: ${errorCode(error) ?? "unknown error"}` };
  }
  try {
    return { content: JSON.parse(text) };
  } catch (error) {
    return { problem: `APPS_FILE is not JSON: ${error instanceof Error ? error.message : "unknown error"}` };
  }
}

type Members = Readonly<Record<string, unknown>>;

/** Reads the content of the file and reports all problems. */
class AppsFile {
  readonly #env: Environment;
  readonly #read: EnvironmentReader;
  /** Which app has a name, a host or a value of the header. */
  readonly #taken = new Map<string, string>();

  constructor(env: Environment, read: EnvironmentReader) {
    this.#env = env;
    this.#read = read;
  }

  read(content: unknown): readonly AppEntry[] {
    const members = this.#object("", content, ["default", "header", "apps"]);
    if (members === null) return [];
    const header =
      members.header === undefined
        ? null
        : this.#text("/header", members.header, HEADER, "a header in lower case");
    if (header !== null && !(Number(this.#env.TRUSTED_PROXY_HOPS) > 0))
      this.#problem("/header", "needs TRUSTED_PROXY_HOPS: only a trusted proxy may name the app");
    for (const name of Object.keys(this.#env))
      if (OWN.test(name) && this.#env[name]?.trim())
        this.#read.problem(`${name} is of one app: with APPS_FILE set it is in the settings of that app`);
    const listed = this.#list("/apps", members.apps);
    if (listed?.length === 0) this.#problem("/apps", "has no app");
    const apps = (listed ?? []).flatMap(
      (app, index) => this.#app(`/apps/${index}`, app, header, members.default) ?? [],
    );
    if (members.default !== null && !apps.some(({ app }) => app.scope === null))
      this.#problem(
        "/default",
        "must be the name of the app that has what is stored without APPS_FILE, or null if nothing is",
      );
    return apps;
  }

  #app(path: string, content: unknown, header: string | null, defaultName: unknown): AppEntry | null {
    const members = this.#object(path, content, ["name", "hosts", "headerValues", "settings"]);
    if (members === null) return null;
    const name = this.#text(`${path}/name`, members.name, NAME, "1 to 32 of a-z 0-9 -");
    this.#take(`${path}/name`, "name", name);
    const hosts = this.#texts(
      `${path}/hosts`,
      members.hosts,
      HOST,
      "a host name in lower case, without a port",
    );
    const values = this.#texts(
      `${path}/headerValues`,
      members.headerValues,
      HEADER_VALUE,
      "visible ASCII characters",
    );
    for (const [index, host] of hosts?.entries() ?? []) this.#takeHost(`${path}/hosts/${index}`, host);
    for (const [index, value] of values?.entries() ?? [])
      this.#take(`${path}/headerValues/${index}`, "value", value);
    if (values !== null && values.length > 0 && header === null)
      this.#problem(`${path}/headerValues`, "need a header at /header");
    if (hosts?.length === 0 && values?.length === 0)
      this.#problem(path, "has neither hosts nor headerValues: no request reaches it");
    return {
      app: {
        name,
        scope: name === defaultName ? null : name,
        hosts: hosts ?? [],
        headerValues: values ?? [],
        header,
      },
      path,
      env: { ...this.#inherited(), ...this.#settings(`${path}/settings`, members.settings ?? {}) },
    };
  }

  #inherited(): Environment {
    return Object.fromEntries(Object.entries(this.#env).filter(([name]) => !OWN.test(name)));
  }

  #settings(path: string, content: unknown): Environment {
    const settings: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.#members(path, content) ?? {})) {
      const text = textOf(value);
      if (!SETTINGS.test(name)) this.#problem(`${path}/${name}`, "is no setting of an app");
      else if (text === null)
        this.#problem(
          `${path}/${name}`,
          "must be a text, a number, true, false, or a list of texts without commas",
        );
      else settings[name] = text;
    }
    return settings;
  }

  #members(path: string, content: unknown): Members | null {
    if (isMembers(content)) return content;
    this.#problem(path, "must be an object");
    return null;
  }

  #object(path: string, content: unknown, names: readonly string[]): Members | null {
    const members = this.#members(path, content);
    for (const name of Object.keys(members ?? {}))
      if (!names.includes(name))
        this.#problem(`${path}/${name}`, `is unknown: there are ${names.join(", ")}`);
    return members;
  }

  #list(path: string, content: unknown): readonly unknown[] | null {
    if (Array.isArray(content)) return content;
    this.#problem(path, "must be a list");
    return null;
  }

  #texts(path: string, content: unknown, form: RegExp, what: string): readonly string[] | null {
    const entries = content === undefined ? [] : this.#list(path, content);
    return entries?.map((entry, index) => this.#text(`${path}/${index}`, entry, form, what)) ?? null;
  }

  #text(path: string, content: unknown, form: RegExp, what: string): string {
    if (typeof content === "string" && form.test(content)) return content;
    this.#problem(path, `must be ${what}`);
    return "";
  }

  /** Requests are compared with their host names as URLs have them: an address may be written in several ways. */
  #takeHost(path: string, host: string): void {
    const inRequests = URL.parse(`http://${host}/`)?.hostname;
    if (host !== "" && inRequests !== host)
      this.#problem(path, inRequests === undefined ? "is no host name" : `must be written as ${inRequests}`);
    this.#take(path, "host", host);
  }

  #take(path: string, kind: string, text: string): void {
    const key = `${kind} ${text}`;
    const holder = this.#taken.get(key);
    if (holder !== undefined && text !== "") this.#problem(path, `is the same as ${holder}`);
    this.#taken.set(key, path);
  }

  #problem(path: string, reason: string): void {
    this.#read.problem(`APPS_FILE ${path === "" ? "/" : path} ${reason}`);
  }
}

function isMembers(content: unknown): content is Members {
  return typeof content === "object" && content !== null && !Array.isArray(content);
}

/** A setting as a variable has it. */
function textOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const isList =
    Array.isArray(value) && value.every((entry) => typeof entry === "string" && !entry.includes(","));
  return isList ? value.join(",") : null;
}
