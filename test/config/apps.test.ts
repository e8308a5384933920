import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namedApp, servedScopes } from "../../src/config/apps.ts";
import { loadConfig, loadConfigs } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import type { Environment } from "../../src/config/environment.ts";
import { development, production } from "./environments.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "backup-service-apps-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withFile(content: unknown, env: Environment = production): Promise<Environment> {
  const path = join(folder, `${crypto.randomUUID()}.json`);
  const isObject = typeof content === "object" && !Array.isArray(content);
  const whole = isObject ? { default: null, ...content } : content;
  await writeFile(path, typeof whole === "string" ? whole : JSON.stringify(whole));
  return { ...env, APPS_FILE: path };
}

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const problemsIn = async (content: unknown, env?: Environment) => {
  const whole = await withFile(content, env);
  return problemsOf(() => loadConfigs(whole));
};

const ONE = { name: "one", hosts: ["one.example"] };
const TWO = { name: "two", hosts: ["two.example"] };

describe("APPS_FILE", () => {
  test("is not needed: without it there is one app for every request", () => {
    expect(loadConfigs(production)).toEqual([loadConfig(production)]);
    expect(loadConfigs({ ...production, APPS_FILE: " " })).toEqual([loadConfig(production)]);
  });

  test("gives each app what it sets, and what the process sets besides", async () => {
    const process = { ...production, TRUSTED_PROXY_HOPS: "1", GOOGLE_CLIENT_ID: "of-the-process" };
    const settings = {
      WEBAUTHN_RP_ID: "two.example",
      WEBAUTHN_ORIGINS: ["https://two.example", "https://www.two.example"],
      GOOGLE_CLIENT_ID: "of-two",
      APPLE_CLIENT_IDS: ["a", "b"],
      ATTESTATION: "off",
      RATE_LIMITS: false,
      MAX_MAIN_FACTORS: 3,
      DELETED_KEEP_DAYS: "0",
      ADD_FACTOR_BINDING: "required",
      ENFORCE_BACKUP_ACCOUNT_PROOF: true,
    };
    const apps = [ONE, { ...TWO, headerValues: ["Two!", "2"], settings }];
    const [one, two] = loadConfigs(await withFile({ default: "one", header: "x-app", apps }, process));
    const alone = loadConfig(process);
    const header = "x-app";
    expect(one).toEqual({
      ...alone,
      app: { name: "one", scope: null, hosts: ["one.example"], headerValues: [], header },
    });
    expect(two).toEqual({
      ...loadConfig({
        ...process,
        ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
      }),
      app: { name: "two", scope: "two", hosts: ["two.example"], headerValues: ["Two!", "2"], header },
    });
    expect(Object.isFrozen(two?.app?.hosts)).toBe(true);
  });

  test("may be as the README shows it", async () => {
    const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();
    const [, shown = ""] = /APPS_FILE` names a JSON file\.\n\n```json\n(.*?)```/s.exec(readme) ?? [];
    const configs = loadConfigs(await withFile(shown.replaceAll("…", "abc")));
    expect(configs.map(({ app, webauthn }) => [app?.scope, webauthn.rpId])).toEqual([
      [null, "backup.example"],
      ["notes", "notes.example"],
    ]);
  });

  test("takes limits and sources of an app by the names that there are, and refuses others", async () => {
    const example = await Bun.file(join(import.meta.dir, "../../.env.example")).text();
    const names = [...example.matchAll(/^#? ?((?:RATE_LIMIT|ADOPT_FROM)_\w+)=/gm)].map(
      ([, name = ""]) => name,
    );
    expect(names).toHaveLength(9 + 4);
    for (const name of names) {
      const problemsOfSetting = async (setting: string) =>
        (await problemsIn({ apps: [{ ...ONE, settings: { [setting]: "" } }] })).map((problem) =>
          problem.replace(setting, "NAME"),
        );
      expect([name, await problemsOfSetting(name)]).toEqual([name, []]);
      const misspelt = ["APPS_FILE /apps/0/settings/NAME is no setting of an app"];
      expect([name, await problemsOfSetting(`${name}S`)]).toEqual([name, misspelt]);
    }
  });

  test("may have what the process leaves out", async () => {
    const { WEBAUTHN_RP_ID, WEBAUTHN_ORIGINS, ...process } = production;
    const settings = { WEBAUTHN_RP_ID, WEBAUTHN_ORIGINS };
    expect(await problemsIn({ apps: [{ ...ONE, settings }] }, process)).toEqual([]);
    expect(await problemsIn({ apps: [{ ...ONE, settings }, TWO] }, process)).toEqual([
      expect.stringMatching(/^APPS_FILE \/apps\/1\/settings: WEBAUTHN_RP_ID is required/),
      expect.stringMatching(/^APPS_FILE \/apps\/1\/settings: WEBAUTHN_ORIGINS is required/),
    ]);
  });

  test.each([
    [undefined, /cannot be read: ENOENT$/],
    ["{", /^APPS_FILE is not JSON: /],
    [[], /^APPS_FILE \/ must be an object$/],
    [{}, /^APPS_FILE \/apps must be a list$/],
    [{ apps: [] }, /^APPS_FILE \/apps has no app$/],
    [{ apps: [1] }, /^APPS_FILE \/apps\/0 must be an object$/],
    [{ apps: [ONE], more: 1 }, /^APPS_FILE \/more is unknown: there are default, header, apps$/],
    [{ apps: [{ ...ONE, host: "a" }] }, /^APPS_FILE \/apps\/0\/host is unknown/],
    [{ apps: [{ ...ONE, name: "One" }] }, /^APPS_FILE \/apps\/0\/name must be 1 to 32 of a-z 0-9 -$/],
    [{ apps: [{ ...ONE, name: "a".repeat(33) }] }, /\/name must be/],
    [{ apps: [{ ...ONE, name: "a/b" }] }, /\/name must be/],
    [{ apps: [{ ...ONE, name: "one\n" }] }, /\/name must be/],
    [{ apps: [{ hosts: ["a"] }] }, /\/name must be/],
    [{ apps: [ONE, { ...TWO, name: "one" }] }, /^APPS_FILE \/apps\/1\/name is the same as \/apps\/0\/name$/],
    [
      { apps: [ONE, { ...TWO, hosts: ["x", "one.example"] }] },
      /^APPS_FILE \/apps\/1\/hosts\/1 is the same as \/apps\/0\/hosts\/0$/,
    ],
    [{ apps: [{ name: "one" }] }, /^APPS_FILE \/apps\/0 has neither hosts nor headerValues/],
    [{ apps: [{ ...ONE, hosts: ["One.example"] }] }, /\/hosts\/0 must be a host name in lower case/],
    [{ apps: [{ ...ONE, hosts: ["one.example:8000"] }] }, /\/hosts\/0 must be/],
    [{ apps: [{ ...ONE, hosts: ["https://one.example"] }] }, /\/hosts\/0 must be/],
    [{ apps: [{ ...ONE, hosts: ["*.example"] }] }, /\/hosts\/0 must be/],
    [{ apps: [{ ...ONE, hosts: "one.example" }] }, /\/hosts must be a list$/],
    [{ apps: [{ ...ONE, hosts: ["127.1"] }] }, /\/hosts\/0 must be written as 127\.0\.0\.1$/],
    [{ apps: [{ ...ONE, hosts: ["[0:0::1]"] }] }, /\/hosts\/0 must be written as \[::1\]$/],
    [{ apps: [{ ...ONE, hosts: ["one.1"] }] }, /\/hosts\/0 is no host name$/],
    [{ apps: [{ ...ONE, hosts: ["[1::2::3]"] }] }, /\/hosts\/0 is no host name$/],
    [{ default: "two", apps: [ONE] }, /^APPS_FILE \/default must be the name of the app/],
    [{ default: true, apps: [ONE] }, /^APPS_FILE \/default must be the name/],
    [
      '{"apps":[{"name":"one","hosts":["a"]}]}',
      /^APPS_FILE \/default must be the name .* or null if nothing is$/,
    ],
    [{ apps: [{ ...ONE, headerValues: ["a"] }] }, /\/headerValues need a header at \/header$/],
    [{ header: "x-app", apps: [ONE] }, /^APPS_FILE \/header needs TRUSTED_PROXY_HOPS/],
    [{ apps: [{ ...ONE, settings: [] }] }, /\/settings must be an object$/],
    [
      { apps: [{ ...ONE, settings: { PORT: 1 } }] },
      /^APPS_FILE \/apps\/0\/settings\/PORT is no setting of an app$/,
    ],
    [{ apps: [{ ...ONE, settings: { CHALLENGE_TOKEN_KEYS: "a" } }] }, /is no setting of an app$/],
    [{ apps: [{ ...ONE, settings: { ATTESTATION_GATEWAY_BYPASS_TOKEN: "a" } }] }, /is no setting of an app$/],
    [{ apps: [{ ...ONE, settings: { MAX_IN_FLIGHT_UPLOAD_BYTES: 1 } }] }, /is no setting of an app$/],
    [
      { apps: [{ ...ONE, settings: { APPLE_CLIENT_IDS: ["a,b"] } }] },
      /\/APPLE_CLIENT_IDS must be a text, a number/,
    ],
    [
      { apps: [{ ...ONE, settings: { GOOGLE_CLIENT_ID: null } }] },
      /\/GOOGLE_CLIENT_ID must be a text, a number/,
    ],
    [
      { apps: [{ ...ONE, settings: { MAX_MAIN_FACTORS: 99 } }] },
      /^APPS_FILE \/apps\/0\/settings: MAX_MAIN_FACTORS must be a whole number/,
    ],
  ])("refuses %j", async (content, problem) => {
    const problems =
      content === undefined
        ? problemsOf(() => loadConfigs({ ...production, APPS_FILE: join(folder, "none.json") }))
        : await problemsIn(content);
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test("reports all problems of the file, of the process and of the settings together", async () => {
    const wrong = {
      apps: [
        { ...ONE, name: "?", more: 1 },
        { name: "two", hosts: ["?"], settings: { PORT: 1 } },
      ],
    };
    const all = await problemsIn(wrong, { ...production, PORT: "x", MAX_MAIN_FACTORS: "0" });
    expect(all.map((problem) => problem.split(/ (?:must|is) /)[0])).toEqual([
      "APPS_FILE /apps/0/more",
      "APPS_FILE /apps/0/name",
      "APPS_FILE /apps/1/hosts/0",
      "APPS_FILE /apps/1/settings/PORT",
      "PORT",
      "APPS_FILE /apps/0/settings: MAX_MAIN_FACTORS",
      "APPS_FILE /apps/1/settings: MAX_MAIN_FACTORS",
    ]);
    expect(await problemsIn("{", { ...production, PORT: "x" })).toHaveLength(2);
    const settings = { MAX_MAIN_FACTORS: 0, GOOGLE_JWKS_URL: "ftp://x" };
    const unusable = {
      apps: [
        { ...ONE, settings },
        { ...TWO, settings: { RATE_LIMITS: "maybe" } },
      ],
    };
    const problems = await problemsIn(unusable, { ...production, PORT: "x" });
    expect(problems.map((problem) => /[A-Z_]+(?= must)/.exec(problem)?.[0])).toEqual([
      "PORT",
      "MAX_MAIN_FACTORS",
      "GOOGLE_JWKS_URL",
      "RATE_LIMITS",
    ]);
  });

  test("lets one app adopt the backups of another service, and no process", async () => {
    const adopting = { ADOPT_FROM_S3_BUCKET: "b", ADOPT_FROM_DYNAMODB_TABLE: "t" };
    const whole = await withFile({ apps: [ONE, { ...TWO, settings: adopting }] });
    expect(loadConfigs(whole).map(({ adoption }) => adoption?.bucket ?? null)).toEqual([null, "b"]);
    expect(await problemsIn({ apps: [ONE] }, { ...production, ...adopting })).toEqual([
      expect.stringMatching(/^ADOPT_FROM_S3_BUCKET is of one app/),
      expect.stringMatching(/^ADOPT_FROM_DYNAMODB_TABLE is of one app/),
    ]);
    expect(
      await problemsIn({
        apps: [
          { ...ONE, settings: adopting },
          { ...TWO, settings: adopting },
        ],
      }),
    ).toEqual([
      "APPS_FILE: one and two both adopt from the bucket b: one app may",
      "APPS_FILE: one and two both adopt from the table t: one app may",
    ]);
  });
});

describe("the app that an operator names", () => {
  test("is none without APPS_FILE", () => {
    expect(namedApp(development, undefined)).toEqual({ scope: null, env: development });
    expect(problemsOf(() => namedApp(development, "one"))).toEqual([
      "--app is for a service with several apps: set APPS_FILE",
    ]);
    expect(servedScopes(development)).toEqual([null]);
  });

  test("is one of the file, with its settings", async () => {
    const settings = { GOOGLE_ISSUER: "https://issuer.example" };
    const env = await withFile({ default: "one", apps: [ONE, { ...TWO, settings }] });
    expect(namedApp(env, "one")).toEqual({ scope: null, env });
    expect(namedApp(env, "two")).toEqual({ scope: "two", env: { ...env, ...settings } });
    for (const name of [undefined, "three", ""])
      expect(problemsOf(() => namedApp(env, name))).toEqual([
        "Name one of the apps in APPS_FILE: --app takes one, two",
      ]);
    expect(servedScopes(env)).toEqual([null, "two"]);
  });
});
