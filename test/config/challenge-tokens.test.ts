import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { development, KEY_1, problemsOf, requires } from "./environments.ts";

const KEY_2 = Buffer.alloc(32, 2).toString("base64");

describe("the configuration of challenge tokens", () => {
  requires(["CHALLENGE_TOKEN_KEYS"]);

  test("reads keys in their order", () => {
    const { keys } = loadConfig({
      ...development,
      CHALLENGE_TOKEN_KEYS: `new:${KEY_2}, old.1_x-:${KEY_1}`,
    }).challengeTokens;
    expect(keys).toEqual([
      { kid: "new", secret: Buffer.alloc(32, 2) },
      { kid: "old.1_x-", secret: Buffer.alloc(32, 1) },
    ]);
  });

  test("refuses a wrong key, and does not show it", () => {
    const short = Buffer.alloc(31, 3).toString("base64");
    const bad = [
      short,
      `:${KEY_1}`,
      `k 1:${KEY_1}`,
      `${"k".repeat(65)}:${KEY_1}`,
      `k1:${short}`,
      `k1:${Buffer.alloc(33, 3).toString("base64")}`,
      `k1:${KEY_1.slice(0, -1)}`,
      "k1:",
      `k1:${KEY_1},k1:${KEY_2}`,
      `k1:${KEY_1},`,
    ];
    for (const value of bad) {
      const problems = problemsOf({ ...development, CHALLENGE_TOKEN_KEYS: value });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toStartWith("CHALLENGE_TOKEN_KEYS, entry ");
      for (const secret of [KEY_1, KEY_2, short]) expect(problems[0]).not.toContain(secret);
    }
  });
});
