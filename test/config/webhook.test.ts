import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { development, problemsOf, production } from "./environments.ts";

const secret = (length: number) => `whsec_${Buffer.alloc(length, length).toString("base64")}`;
const WEBHOOK_URL = "https://events.example/hook?key=hidden";
const WEBHOOK_SECRETS = secret(32);

describe("the configuration of the webhook", () => {
  test("reads the URL, and secrets of 24 to 64 bytes in their order", () => {
    const WEBHOOK_SECRETS = `${secret(64)}, ${secret(24)}`;
    expect(loadConfig({ ...production, WEBHOOK_URL, WEBHOOK_SECRETS }).webhook).toEqual({
      url: WEBHOOK_URL,
      secrets: [Buffer.alloc(64, 64), Buffer.alloc(24, 24)],
    });
  });

  test("requires secrets with the URL, and the URL with secrets", () => {
    expect(problemsOf({ ...production, WEBHOOK_URL })).toEqual([
      expect.stringContaining("WEBHOOK_SECRETS is required while WEBHOOK_URL is set"),
    ]);
    expect(problemsOf({ ...production, WEBHOOK_SECRETS })).toEqual([
      "WEBHOOK_URL is required while WEBHOOK_SECRETS is set",
    ]);
  });

  test("requires https outside development, of loopback too", () => {
    for (const url of ["http://events.example", "http://127.0.0.1:8080", "http://localhost"]) {
      for (const APP_ENV of ["production", "staging"])
        expect(problemsOf({ ...production, APP_ENV, WEBHOOK_URL: url, WEBHOOK_SECRETS })).toEqual([
          "WEBHOOK_URL must be an https URL outside development",
        ]);
      expect(problemsOf({ ...development, WEBHOOK_URL: url, WEBHOOK_SECRETS })).toEqual([]);
    }
  });

  test.each([
    "hidden",
    "//events.example/hidden",
    "ftp://events.example/hidden",
    "https://hidden@events.example",
    "https://user:hidden@events.example",
    "https://events.example/#hidden",
  ])("refuses the URL %s, and does not show it", (url) => {
    const problems = problemsOf({ ...development, WEBHOOK_URL: url, WEBHOOK_SECRETS });
    expect(problems).toEqual([expect.stringMatching(/^WEBHOOK_URL must /)]);
    expect(problems[0]).not.toContain("hidden");
  });

  test("refuses a wrong secret, and does not show it", () => {
    const text = WEBHOOK_SECRETS.slice("whsec_".length);
    for (const wrong of [
      secret(23),
      secret(65),
      text,
      `whsec_${text.slice(0, -1)}`,
      `WHSEC_${text}`,
      "whsec_",
      `${WEBHOOK_SECRETS},`,
      `${secret(24)},${secret(24)}`,
    ]) {
      const problems = problemsOf({ ...development, WEBHOOK_URL, WEBHOOK_SECRETS: wrong });
      expect(problems).toEqual([expect.stringMatching(/^WEBHOOK_SECRETS, entry [12]: /)]);
      expect(problems[0]).not.toContain(text.slice(0, 8));
      expect(problems[0]).not.toContain(wrong.slice(6, 14) || "hidden");
    }
  });

  test("reports what is wrong with the URL and with each secret together", () => {
    const problems = problemsOf({ ...production, WEBHOOK_URL: "http://x", WEBHOOK_SECRETS: "a,b" });
    expect(problems.map((problem) => problem.split(/[: ]/)[0])).toEqual([
      "WEBHOOK_URL",
      "WEBHOOK_SECRETS,",
      "WEBHOOK_SECRETS,",
    ]);
  });
});
