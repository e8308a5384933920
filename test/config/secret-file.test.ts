import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../../src/config/config.ts";
import { loadHistoryConfig } from "../../src/config/history.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { development, KEY_1, problemsOf, production } from "./environments.ts";

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 2).toString("base64")}`;
const WEBHOOK_URL = "https://events.example/hook?key=hidden";
/** Each variable that may come from a file, with a good value. */
const SECRETS = {
  CHALLENGE_TOKEN_KEYS: `k1:${KEY_1}`,
  ATTESTATION_GATEWAY_BYPASS_TOKEN: "open sesame",
  WEBHOOK_URL,
  WEBHOOK_SECRETS: WEBHOOK_SECRET,
};
const NAMES = Object.keys(SECRETS);
const complete = { ...production, APP_ENV: "staging", ...SECRETS };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

async function file(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

/** The complete environment with one secret in a file. */
const withFile = (name: string, path: string) => ({ ...complete, [name]: "", [`${name}_FILE`]: path });

describe("a secret in a file", () => {
  test.each(Object.entries(SECRETS))("is the same as in the variable: %s", async (name, value) => {
    for (const content of [value, `${value}\n`, `${value}\r\n`])
      expect(loadConfig(withFile(name, await file("same", content)))).toEqual(loadConfig(complete));
  });

  test("may be readable for others, read-only and a link, as of Docker, Kubernetes and systemd", async () => {
    await mkdir(join(folder.path, "..data"));
    for (const mode of [0o400, 0o440, 0o444, 0o600, 0o644]) {
      const path = join(folder.path, `link-${mode}`);
      await symlink(await file(`..data/key-${mode}`, `k1:${KEY_1}\n`, mode), path);
      expect(loadConfig(withFile("CHALLENGE_TOKEN_KEYS", path))).toEqual(loadConfig(complete));
    }
  });

  test.each(NAMES)("and in the variable is one too many: %s", async (name) => {
    const path = await file("both", "other");
    expect(problemsOf({ ...complete, [`${name}_FILE`]: path })).toEqual([
      `${name}_FILE and ${name} are both set: set one of them`,
    ]);
  });

  test.each(NAMES)("that cannot be used is one problem, without path and content: %s", async (name) => {
    const fifo = join(folder.path, `fifo-${name}`);
    expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
    const wrong = [
      [join(folder.path, "missing-hidden"), "names a file that cannot be read (ENOENT)"],
      ["k1:hidden", "names a file that cannot be read (ENOENT)"],
      [folder.path, "must name a file, not a folder or a device"],
      [fifo, "must name a file, not a folder or a device"],
      ["/dev/zero", "must name a file, not a folder or a device"],
      [await file("empty", ""), "names a file that is empty"],
      [await file("blank", " \n\n"), "names a file that is empty"],
      [await file("large", `${"hidden".repeat(11_000)}`), "names a file of more than 64 KiB"],
      [await file("binary", new Uint8Array([104, 255])), "names a file that is not text"],
      [await file("nul", "hidden\0"), "names a file that is not text"],
      [
        await file("shared", "hidden", 0o646),
        "names a file that every user may write: chmod o-w it, and replace the secret",
      ],
    ] as const;
    for (const [path, problem] of wrong)
      expect(problemsOf(withFile(name, path))).toEqual([`${name}_FILE ${problem}`]);
  });

  test("with a wrong value is reported as in the variable, and is not shown", async () => {
    const path = await file("wrong", "hidden,\nhidden");
    for (const [name, problems] of [
      ["CHALLENGE_TOKEN_KEYS", 2],
      ["WEBHOOK_SECRETS", 2],
      ["WEBHOOK_URL", 1],
    ] as const) {
      const reported = problemsOf(withFile(name, path));
      expect(reported).toHaveLength(problems);
      for (const problem of reported) {
        expect(problem).toStartWith(name);
        expect(problem).not.toContain("hidden");
      }
    }
  });

  test("is reported together with every other problem", () => {
    const files = Object.fromEntries(NAMES.map((name) => [`${name}_FILE`, "/missing"]));
    const env = { ...development, APP_ENV: "staging", PORT: "x", ATTESTATION: "off", ...files };
    const reported = problemsOf(env).map((problem) => /^[A-Z0-9_]+/.exec(problem)?.[0]);
    expect(reported).toEqual(expect.arrayContaining(["PORT", ...NAMES.map((name) => `${name}_FILE`)]));
    expect(reported.filter((name) => name !== undefined && NAMES.includes(name))).toEqual([]);
  });

  test("is refused in production where the variable is", async () => {
    const path = await file("bypass", "open sesame");
    const env = { ...withFile("ATTESTATION_GATEWAY_BYPASS_TOKEN", path), APP_ENV: "production" };
    expect(problemsOf(env)).toEqual(["ATTESTATION_GATEWAY_BYPASS_TOKEN must not be set in production"]);
  });

  test("makes events be delivered for an operator who may not read it", () => {
    const { isDelivered } = loadHistoryConfig({ WEBHOOK_URL_FILE: "/missing" });
    expect(isDelivered).toBe(true);
  });
});
