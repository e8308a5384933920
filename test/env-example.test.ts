import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { loadConfig } from "../src/config/config.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "./support/service.ts";

const root = join(import.meta.dir, "..");
const read = (file: string) => Bun.file(join(root, file)).text();

describe(".env.example", () => {
  test("has every variable that the configuration reads, and no other", async () => {
    const files = [...new Glob("src/config/*.ts").scanSync(root)];
    const source = (await Promise.all(files.map(read))).join("\n");
    const variables = [...source.matchAll(/(?:read\.(\w+)\(|\(read,)\s*"([A-Z][A-Z0-9_]+)"/g)].flatMap(
      ([, method, name = ""]) => (method === "secret" ? [name, `${name}_FILE`] : [name]),
    );
    const documented = [...(await read(".env.example")).matchAll(/^([A-Z][A-Z0-9_]+)=/gm)].map(
      ([, name = ""]) => name,
    );
    expect(documented.toSorted()).toEqual([...new Set(variables)].toSorted());
    expect(new Set(documented).size).toBe(documented.length);
  });

  test("has the files of those secrets that the README names", async () => {
    const files = [...(await read(".env.example")).matchAll(/^(\w+)_FILE=/gm)].map(([, name = ""]) => name);
    const [, text = ""] =
      /^### Secrets\n\n([\s\S]*?) may come from files/m.exec(await read("README.md")) ?? [];
    const named = [...text.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
    expect(named.toSorted()).toEqual(files.filter((name) => name !== "APPS").toSorted());
  });

  test("changes nothing as long as it is copied and left as it is", async () => {
    const copied = Object.fromEntries(
      (await read(".env.example"))
        .split("\n")
        .filter((line) => /^[A-Z]/.test(line))
        .map((line) => line.split(/=(.*)/s, 2)),
    );
    const required = {
      CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
      AWS_REGION: "eu-central-1",
      BACKUP_S3_BUCKET: "backups",
      WEBAUTHN_RP_ID: "example.com",
      WEBAUTHN_ORIGINS: "https://example.com",
      ATTESTATION_GATEWAY_URL: "https://example.com",
      TRUSTED_PROXY_HOPS: "1",
    };
    for (const env of [{ APP_ENV: "development" }, { APP_ENV: "production", ...required }])
      expect(loadConfig({ ...copied, ...env })).toEqual(loadConfig(env));
  });
});
