import { describe, expect, test } from "bun:test";
import { newLocalStorage } from "../support/local-storage.ts";
import { runProcess, startProcess } from "../support/service-process.ts";

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

  test("does not start without any", async () => {
    const { exitCode, stderr } = await runProcess({});
    expect(exitCode).toBe(1);
    expect(stderr).toContain("APP_ENV is required");
  });

  test("says in one line that a port is in use, also that of the figures, or that a folder cannot be made", async () => {
    await using storage = await newLocalStorage();
    const env = { APP_ENV: "development", ...storage.env };
    await using running = await startProcess(env);
    const { port } = new URL(running.url);
    const { metrics }: { metrics: string } = JSON.parse(running.lines[0] ?? "");
    for (const taken of [
      { PORT: port, METRICS_PORT: "0" },
      { PORT: "0", METRICS_PORT: new URL(metrics).port },
      { PORT: "0", METRICS_PORT: "0", DATA_DIR: "/proc/none" },
    ]) {
      const { exitCode, stderr } = await runProcess({ ...env, ...taken });
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/^Cannot start: .+\n$/);
    }
  });
});
