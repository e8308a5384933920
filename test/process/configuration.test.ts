import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newLocalStorage } from "../support/local-storage.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { runProcess, startProcess } from "../support/service-process.ts";

test("a process takes a secret from a file that only its user may read, and does not log it", async () => {
  await using storage = await newLocalStorage();
  const file = join(storage.dataDir, "challenge-token-keys");
  await writeFile(file, `${TEST_CHALLENGE_TOKEN_KEYS}\n`, { mode: 0o400 });
  const env = { ...storage.env, APP_ENV: "development", LOG_LEVEL: "trace", CHALLENGE_TOKEN_KEYS_FILE: file };
  await using running = await startProcess(env);
  const challenge = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  const response = await fetch(`${running.url}/v1/retrieve/challenge/keypair`, challenge);
  const { token }: { token: string } = JSON.parse(await response.text());
  expect(JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString())).toMatchObject({
    kid: "test", // another one than of a generated key
  });
  expect(running.lines.join("\n")).not.toContain(TEST_CHALLENGE_TOKEN_KEYS.split(":")[1] ?? "");
});

describe("a process with a bad configuration", () => {
  test("names every problem at once, and ends with 1", async () => {
    const { exitCode, stdout, stderr } = await runProcess({
      APP_ENV: "prod",
      PORT: "eighty",
      METRICS_PORT: "99999",
      LOG_LEVEL: "loud",
      STORAGE_DRIVER: "tape",
      CHALLENGE_TOKEN_KEYS: "a:c2hvcnQ=",
      MAX_SYNC_FACTORS: "0",
    });
    expect(exitCode).toBe(1);
    for (const name of [
      "APP_ENV",
      "PORT",
      "METRICS_PORT",
      "LOG_LEVEL",
      "STORAGE_DRIVER",
      "CHALLENGE_TOKEN_KEYS",
      "MAX_SYNC_FACTORS",
    ])
      expect(stderr).toMatch(new RegExp(`^ {2}- ${name}\\b`, "m"));
    expect(stderr).not.toContain("c2hvcnQ");
    expect(stderr).toContain(".env.example");
    expect(stdout).toBe("");
  });

  test("names the secrets' files that it cannot use with the other problems, without their content", async () => {
    await using storage = await newLocalStorage();
    const file = join(storage.dataDir, "keys");
    await Bun.write(file, "a:c2hvcnQ=\n");
    const { exitCode, stdout, stderr } = await runProcess({
      APP_ENV: "development",
      PORT: "eighty",
      CHALLENGE_TOKEN_KEYS_FILE: file,
      WEBHOOK_URL: "https://events.example/hook?key=c2hvcnQ",
      WEBHOOK_SECRETS_FILE: "whsec_c2hvcnQ=",
    });
    expect(exitCode).toBe(1);
    for (const name of ["PORT", "CHALLENGE_TOKEN_KEYS, entry 1", "WEBHOOK_SECRETS_FILE"])
      expect(stderr).toMatch(new RegExp(`^ {2}- ${name}\\b`, "m"));
    expect(stdout + stderr).not.toContain("c2hvcnQ");
  });

  test("names the problems of the file of apps with the others, each with its place", async () => {
    await using storage = await newLocalStorage();
    const file = join(storage.dataDir, "apps.json");
    await Bun.write(file, JSON.stringify({ apps: [{ name: "One", hosts: ["one.example"] }] }));
    const { exitCode, stderr } = await runProcess({
      APP_ENV: "development",
      PORT: "eighty",
      APPS_FILE: file,
    });
    expect(exitCode).toBe(1);
    for (const name of ["PORT", "APPS_FILE /apps/0/name"])
      expect(stderr).toMatch(new RegExp(`^ {2}- ${name} must be`, "m"));
  });

  test("does not start without any variables", async () => {
    const { exitCode, stderr } = await runProcess({});
    expect(exitCode).toBe(1);
    expect(stderr).toContain("APP_ENV is required");
    expect(stderr).toContain("bun run dev needs none");
    expect(stderr).toContain("STORAGE_DRIVER=local keeps the backups on this machine");
    expect(stderr).toContain("ATTESTATION=off needs no gateway");
    expect(stderr).toContain("openssl rand -base64 32"); // makes CHALLENGE_TOKEN_KEYS
  });

  test("reports in one line a port in use or an unusable data folder, and names the variable", async () => {
    await using storage = await newLocalStorage();
    const env = { APP_ENV: "development", ...storage.env };
    await using running = await startProcess(env);
    const { port } = new URL(running.url);
    const { metrics }: { metrics: string } = JSON.parse(running.lines[0] ?? "");
    const { port: metricsPort } = new URL(metrics);
    const file = join(storage.dataDir, "file");
    await Bun.write(file, "");
    for (const [taken, sentence] of [
      [
        { PORT: port, METRICS_PORT: "0" },
        `port ${port} of 127.0.0.1 is in use by another process: .*set PORT`,
      ],
      [
        { PORT: "0", METRICS_PORT: metricsPort },
        `port ${metricsPort} of 127.0.0.1 is in use by another process: .*set METRICS_PORT`,
      ],
      [
        { PORT: "0", METRICS_PORT: "0", HOST: "192.0.2.1" },
        "nothing can listen on port 0 of 192.0.2.1 .*change HOST",
      ],
      [
        { PORT: "0", METRICS_PORT: "0", DATA_DIR: "/proc/none" },
        "DATA_DIR=/proc/none cannot be used .*set DATA_DIR",
      ],
      [{ PORT: "0", METRICS_PORT: "0", DATA_DIR: file }, `DATA_DIR=${file} cannot be used .*set DATA_DIR`],
      [
        { PORT: "0", METRICS_PORT: "0", DATA_DIR: file, CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS },
        `DATA_DIR=${file} cannot be used .*set DATA_DIR`,
      ],
    ] as const) {
      const { exitCode, stderr } = await runProcess({ ...env, HOST: "127.0.0.1", ...taken });
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(new RegExp(`^Cannot start: ${sentence}.*\\n$`));
    }
  });
});
