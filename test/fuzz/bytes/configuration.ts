/** What an operator writes: any text is a value or a reported problem, never another error. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Configs, loadConfigs } from "../../../src/config/config.ts";
import { ConfigError } from "../../../src/config/config-error.ts";
import type { Environment } from "../../../src/config/environment.ts";
import { createAppChoice, type ServedApp } from "../../../src/http/served-app.ts";
import { createRequestLimits } from "../../../src/limits/request-limits.ts";
import { memoise } from "../../../src/runtime/memoise.ts";
import { randomJson } from "./json-grammar.ts";
import { headersOf } from "./requests.ts";
import {
  ACCEPTED,
  bytesOf,
  type Dice,
  kindOf,
  ONE_IN_OF_OPERATORS,
  requireThat,
  type Target,
  textOf,
} from "./target.ts";

type Load = (env: Environment) => Configs;

const ROOT = join(import.meta.dir, "../../..");
const VARIABLES = [...readFileSync(join(ROOT, ".env.example"), "utf8").matchAll(/^([A-Z][A-Z0-9_]+)=/gm)]
  .map(([, name]) => name ?? "")
  .filter((name) => name !== "APPS_FILE");

const BASES: readonly [Environment, ...Environment[]] = [
  { APP_ENV: "development" },
  {
    APP_ENV: "production",
    AWS_REGION: "eu-central-1",
    BACKUP_S3_BUCKET: "backups",
    CHALLENGE_TOKEN_KEYS: `k1:${Buffer.alloc(32, 1).toString("base64")}`,
    WEBAUTHN_RP_ID: "backup.example",
    WEBAUTHN_ORIGINS: "https://backup.example",
    ATTESTATION_GATEWAY_URL: "https://gateway.example",
    TRUSTED_PROXY_HOPS: "0",
  },
];
const VALUES = [
  ...["", "0", "1", "-1", "1e3", "0x10", "1.5", "9".repeat(400), "true", "TRUE", "off", "on", "local", "aws"],
  ...[
    "https://a.example",
    "http://[::1",
    "https://a.example:0",
    "http://",
    "//a",
    "https://user:p@a",
    "HTTPS://é",
  ],
  ...[
    "com.a=AB:CD",
    "a=b,c=%zz",
    "%",
    "%ff",
    "a=%41,=",
    ",",
    ",,",
    "a,,b",
    "k1:AAAA",
    ":",
    "=",
    "*",
    "null",
    "__proto__",
  ],
  ...[
    "https://*.a.example",
    "capacitor://localhost",
    "development",
    "production",
    "/",
    ".",
    "localhost",
    "é",
    "\ud83d\ude00",
  ],
] as const;

/** The names of variables, and values, as lines. */
export function configurationTarget(load: Load = loadConfigs): Target {
  return {
    name: "configuration values",
    oneIn: ONE_IN_OF_OPERATORS,
    corpus: bytesOf(
      "",
      ...VARIABLES.map((name) => `${name}=1`),
      `ANDROID_APPS=com.example.app=${"AB:".repeat(31)}CD`,
      "APPLE_APPS=ABCDE12345.com.example.app",
      "OTEL_EXPORTER_OTLP_ENDPOINT=http://a.example\nOTEL_EXPORTER_OTLP_HEADERS=a=b%20c\nOTEL_RESOURCE_ATTRIBUTES=a=b",
      "WEBHOOK_URL=https://a.example\nWEBHOOK_SECRETS=whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "WEBAUTHN_ORIGINS=https://a.example,https://b.example\nWEBAUTHN_RP_ID=a.example",
    ),
    dictionary: bytesOf("=", "\n", ",", ":", ...VALUES.filter((value) => value !== "")),
    generate: (dice) =>
      Buffer.from(
        Array.from({ length: 1 + dice.below(5) }, () => `${variable(dice)}=${dice.of(VALUES)}`).join("\n"),
      ),
    run(input, dice) {
      const env = { ...dice.of(BASES), ...environmentIn(textOf(input)) };
      return outcomeOfLoad(load, env);
    },
  };
}

function variable(dice: Dice): string {
  return VARIABLES[dice.below(VARIABLES.length)] ?? "";
}

/** Values of the environment have no NUL. */
function environmentIn(text: string): Environment {
  const lines = text.replaceAll("\0", "").split("\n");
  const pairs = lines.map((line) => /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(line)?.slice(1) ?? []);
  // a file is another input
  return Object.fromEntries(pairs.filter(([name]) => name !== undefined && name !== "APPS_FILE"));
}

function outcomeOfLoad(load: Load, env: Environment, check: (configs: Configs) => void = () => {}): string {
  let configs: Configs;
  try {
    configs = load(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    requireThat(error.problems.length > 0, "reported no problem");
    return kindOf((error.problems[0] ?? "").replace(/\/\S* is unknown.*/s, "unknown")).slice(0, 40);
  }
  requireThat(configs.every(Object.isFrozen), "can be changed");
  requireThat(Bun.deepEquals(load(env), configs), "is another configuration the second time");
  check(configs);
  return ACCEPTED;
}

const file = memoise(() => {
  const folder = mkdtempSync(join(tmpdir(), "backup-service-fuzz-apps-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "apps.json");
});

const APPS = {
  default: "first",
  header: "x-app",
  apps: [
    { name: "first", hosts: ["first.example", "[::1]"], headerValues: ["1"] },
    {
      name: "second",
      hosts: ["second.example"],
      settings: { MAX_BACKUP_BYTES: 5, WEBAUTHN_ORIGINS: ["https://b.example"] },
    },
  ],
};

/** Each app that is accepted gets the requests to its hosts, and no other app does. */
export function appsFileTarget(load: Load = loadConfigs): Target {
  const text = JSON.stringify(APPS);
  return {
    name: "files of apps",
    oneIn: ONE_IN_OF_OPERATORS,
    corpus: bytesOf(
      text,
      JSON.stringify({ ...APPS, default: null, header: undefined }),
      JSON.stringify(APPS, null, 1),
    ),
    dictionary: bytesOf(
      ...[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "null",
        "1",
        "{}",
        "[]",
        '"a"',
        '"__proto__":1,',
        '"hosts":["a"],',
        "\ufeff",
      ],
      ...[
        '"settings":null,',
        '"name":"first",',
        '"default":1,',
        "A",
        "é",
        "\\u0000",
        "0x7f.1",
        "1.2.3.4",
        "[::0]",
        "xn--",
      ],
      ...[
        '"RATE_LIMITS":1,',
        '"MAX_BACKUP_BYTES":1e9,',
        '"ADOPT_FROM_S3_BUCKET":"a",',
        '"headerValues":["1"],',
        ".",
      ],
    ),
    generate: (dice) => Buffer.from(randomApps(dice)),
    run(input) {
      writeFileSync(file(), input);
      const env = { APP_ENV: "development", TRUSTED_PROXY_HOPS: "1", APPS_FILE: file() };
      return outcomeOfLoad(load, env, (configs) => {
        const { choose, served } = appChoiceOf(configs);
        for (const { app } of configs) {
          for (const host of app?.hosts ?? [])
            requireThat(
              choose(new Request(`http://${host}:8000/v1/create`), "/v1/create") ===
                served.get(app?.name ?? ""),
              `${host} is not found`,
            );
          requireThat(/^[a-z0-9-]{1,32}$/.test(app?.name ?? ""), "has no name");
        }
        requireThat(served.size === configs.length, "has two apps of one name");
      });
    },
  };
}

/** A file in which most members are as they should be. */
function randomApps(dice: Dice): string {
  const names = ["name", "hosts", "headerValues", "settings"] as const;
  const orAny = (text: string) => (dice.oneIn(24) ? randomJson(dice, names) : text);
  const several = (texts: readonly [string, ...string[]]) =>
    Array.from({ length: dice.below(3) }, () => orAny(JSON.stringify(dice.of(texts)))).join(",");
  const settings = ["MAX_BACKUP_BYTES", "RATE_LIMITS", "WEBAUTHN_ORIGINS", "ADOPT_FROM_S3_BUCKET"] as const;
  const apps = Array.from({ length: 1 + dice.below(3) }, (_, index) => {
    const hosts = several([`${index}.example`, "[::1]", "0x7f.1", "127.0.0.1", "a_b", `xn--${index}`]);
    const setting = `${JSON.stringify(dice.of(settings))}:${orAny(dice.of(["1", '"off"', "[]", '["a"]']))}`;
    return `{"name":${orAny(`"app-${index}"`)},"hosts":${orAny(`["h${index}"${hosts && `,${hosts}`}]`)},
      "headerValues":${orAny(`[${several([`${index}`, "a b", "\u00e9"])}]`)},"settings":${orAny(dice.oneIn(2) ? "{}" : `{${setting}}`)}}`;
  });
  const scope = dice.of(["null", '"app-0"', '"app-1"']);
  return `{"default":${orAny(scope)},"header":${orAny('"x-app"')},"apps":${orAny(`[${apps.join(",")}]`)}}`;
}

function appChoiceOf(configs: Configs, create = createAppChoice) {
  const apps = configs.map((config) => ({ config, served: servedOf(config.app?.name ?? null) }));
  return { choose: create(apps), served: new Map(apps.map(({ served }) => [served.name ?? "", served])) };
}

/** The host of a URL, `x-forwarded-host` and the header of the app, as lines: they name one app, or none. */
export function appChoiceTarget(create = createAppChoice): Target {
  writeFileSync(file(), JSON.stringify(APPS));
  const configs = loadConfigs({ APP_ENV: "development", TRUSTED_PROXY_HOPS: "1", APPS_FILE: file() });
  const { choose } = appChoiceOf(configs, create);
  return {
    name: "hosts of apps",
    corpus: bytesOf(
      "first.example:8000",
      "second.example",
      "other.example\nfirst.example, second.example",
      "other.example\n[::1]:80",
      "first.example\nsecond.example\n1",
    ),
    dictionary: bytesOf(
      ...[
        "\n",
        "\n\n",
        ".",
        "..",
        ":",
        ":0",
        ":99999",
        ",",
        ", ",
        "@",
        "/",
        "\\",
        "?",
        "#",
        "[::1]",
        "[0:0::1]",
      ],
      ...["first.example", "SECOND.EXAMPLE", "%2e", "1", "２", "\u00ad", "xn--", " ", "\t", "user@"],
    ),
    run(input) {
      const [url = "", forwarded, named] = textOf(input).split("\n");
      const headers = headersOf({
        ...(forwarded ? { "x-forwarded-host": forwarded } : {}),
        ...(named ? { "x-app": named } : {}),
      });
      if (headers === null || !URL.canParse(`http://${url}/v1/sync`)) return "no request";
      const request = new Request(`http://${url}/v1/sync`, { headers });
      const found = choose(request, "/v1/sync")?.name ?? null;
      const header = headers.get("x-app");
      const host = headers.get("x-forwarded-host")?.split(",").at(-1)?.trim() ?? url;
      const plain = /^([a-z0-9.-]+?)\.?(?::\d{1,4})?$/i.exec(host)?.[1]?.toLowerCase();
      const expected = configs.find(({ app }) =>
        header === null ? app?.hosts.includes(plain ?? "") : app?.headerValues.includes(header),
      );
      if (header !== null || plain !== undefined)
        requireThat(found === (expected?.app?.name ?? null), `chose ${found}`);
      requireThat(
        choose(request, "/health")?.name === "first",
        "asks for an app where there is none to choose",
      );
      return found === null ? "none" : ACCEPTED;
    },
  };
}

const REQUEST_LIMITS = createRequestLimits(null, {
  check() {},
  count() {},
  reserve: () => ({ count() {}, [Symbol.dispose]() {} }),
});

function servedOf(name: string | null): ServedApp {
  return { name, requestLimits: REQUEST_LIMITS, handle: () => new Response() };
}
