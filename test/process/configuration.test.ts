import { describe, expect, test } from "bun:test";
import { runProcess } from "../support/service-process.ts";

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
});
