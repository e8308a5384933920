import { describe, expect, test } from "bun:test";
import { CompactEncrypt } from "jose";
import type { ChallengeTokenKey } from "../../src/config/challenge-tokens.ts";
import { ServiceError } from "../../src/errors.ts";
import { type ChallengeContext, createChallengeTokens } from "../../src/proofs/challenge-tokens.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { randomBytes } from "../support/users.ts";

const MINUTE_MS = 60_000;
const OLD: ChallengeTokenKey = { kid: "old", secret: randomBytes(32) };
const NEW: ChallengeTokenKey = { kid: "new", secret: randomBytes(32) };
const CHALLENGE = randomBytes(32);
const CONTEXT: ChallengeContext = { operation: "delete-factor", bindings: { factorId: "f" } };

async function outcome(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "opened";
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

const headerOf = (token: string): { kid: string; alg: string; enc: string } =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());

describe("challenge tokens", () => {
  test("give back the challenge they were issued for", async () => {
    const tokens = await createChallengeTokens([NEW], new SettableClock());
    const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
    const { challenge, nonce } = await tokens.open(token, "keypair", CONTEXT);
    expect(Buffer.from(challenge)).toEqual(Buffer.from(CHALLENGE));
    expect(nonce.id).not.toContain(Buffer.from(CHALLENGE).toString("base64url"));
  });

  test.each([
    ...(["create", "retrieve", "verify-factor", "add-sync-factor", "sync", "restore-version"] as const),
    ...(["undelete", "events", "retrieve-metadata", "delete-factor", "delete-backup", "reset"] as const),
    ...(["add-factor", "add-factor-new", "backup-account"] as const),
  ])("open for %s and for no other operation", async (operation) => {
    const tokens = await createChallengeTokens([NEW], new SettableClock());
    const token = await tokens.issue("keypair", CHALLENGE, { operation });
    expect((await tokens.open(token, "keypair", { operation })).context).toEqual({ operation, bindings: {} });
    const other = operation === "create" ? "retrieve" : "create";
    expect(await outcome(() => tokens.open(token, "keypair", { operation: other }))).toBe(
      "invalid_challenge_context",
    );
  });

  test("say to the millisecond when they were issued", async () => {
    const issuedAtMs = Date.UTC(2026, 0, 15, 12) + 567;
    const clock = new SettableClock(issuedAtMs);
    const tokens = await createChallengeTokens([NEW], clock);
    const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
    clock.advance(MINUTE_MS);
    expect((await tokens.open(token, "keypair", CONTEXT)).issuedAtMs).toBe(issuedAtMs);
  });

  test("of an earlier version, which had no milliseconds, count as issued at the start of their second", async () => {
    const clock = new SettableClock(Date.UTC(2026, 0, 15, 12) + 567);
    const nowS = Math.floor(clock.nowMs() / 1000);
    const claims = {
      type: "keypair",
      challenge: Buffer.from(CHALLENGE).toString("base64url"),
      operation: "sync",
      bindings: {},
      nbf: nowS,
      exp: nowS + 900,
    };
    const token = await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: NEW.kid })
      .encrypt(NEW.secret);
    const tokens = await createChallengeTokens([NEW], clock);
    expect((await tokens.open(token, "keypair", { operation: "sync" })).issuedAtMs).toBe(nowS * 1000);
  });

  test("are opaque: five parts, encrypted, never the same twice", async () => {
    const tokens = await createChallengeTokens([NEW], new SettableClock());
    const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
    expect(headerOf(token)).toEqual({ alg: "dir", enc: "A256GCM", kid: "new" });
    expect(token.split(".")).toHaveLength(5);
    for (const part of token.split("."))
      expect(Buffer.from(part, "base64url").toString("latin1")).not.toContain("delete-factor");
    expect(await tokens.issue("keypair", CHALLENGE, CONTEXT)).not.toBe(token);
  });

  test("of one challenge have one nonce, whatever their form", async () => {
    const clock = new SettableClock();
    const tokens = await createChallengeTokens([NEW], clock);
    const [first, second] = [
      await tokens.issue("keypair", CHALLENGE, CONTEXT),
      await tokens.issue("keypair", CHALLENGE, CONTEXT),
    ];
    const ids = [];
    for (const token of [first, second, `${first} `])
      ids.push((await tokens.open(token, "keypair", CONTEXT).catch(() => null))?.nonce.id);
    expect(new Set(ids.filter((id) => id !== undefined)).size).toBe(1);
  });

  test("have nonces that are remembered for ten minutes longer than the tokens open, for those opened at the last moment", async () => {
    const clock = new SettableClock();
    const tokens = await createChallengeTokens([NEW], clock);
    const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
    const { nonce } = await tokens.open(token, "keypair", CONTEXT);
    const expiresAtMs = nonce.expiresAtMs - 10 * MINUTE_MS;
    clock.set(expiresAtMs - 1);
    expect(await outcome(() => tokens.open(token, "keypair", CONTEXT))).toBe("opened");
    clock.set(expiresAtMs);
    expect(await outcome(() => tokens.open(token, "keypair", CONTEXT))).toBe("jwt_error");
  });

  for (const [name, ms, expected] of [
    ["at once", 0, "opened"],
    ["when another process's clock is five seconds behind", -5_000, "opened"],
    ["not when a clock is six seconds behind", -6_000, "jwt_error"],
    ["after 14:59 minutes", 15 * MINUTE_MS - 1_000, "opened"],
    ["not after 15 minutes", 15 * MINUTE_MS, "jwt_error"],
    ["not after a year", 365 * 24 * 60 * MINUTE_MS, "jwt_error"],
  ] as const)
    test(`open ${name}`, async () => {
      const clock = new SettableClock();
      const tokens = await createChallengeTokens([NEW], clock);
      const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
      clock.advance(ms);
      expect(await outcome(() => tokens.open(token, "keypair", CONTEXT))).toBe(expected);
    });

  test("are refused when they were issued before a given time, to the millisecond and whatever is wrong besides", async () => {
    const clock = new SettableClock();
    const issuedMs = clock.nowMs() + 600;
    clock.set(issuedMs);
    let earliestMs = 0;
    const tokens = await createChallengeTokens([NEW], clock, async () => earliestMs);
    const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
    for (const [ms, expected] of [
      [0, "opened"],
      [issuedMs, "opened"],
      [issuedMs + 1, "jwt_error"],
      [issuedMs + MINUTE_MS, "jwt_error"],
    ] as const) {
      earliestMs = ms;
      expect(await outcome(() => tokens.open(token, "keypair", CONTEXT))).toBe(expected);
    }
    expect(await outcome(() => tokens.open(token, "passkey", { operation: "sync" }))).toBe("jwt_error");
    clock.set(earliestMs);
    const fresh = await tokens.issue("keypair", CHALLENGE, CONTEXT);
    expect(await outcome(() => tokens.open(fresh, "keypair", CONTEXT))).toBe("opened");
  });

  test("open for the app that they were issued for, as tokens without an app do for the one without a name", async () => {
    const clock = new SettableClock();
    const apps = [null, "shop", "wallet"];
    const tokensOf = (app: string | null) => createChallengeTokens([NEW], clock, async () => 0, app);
    for (const issuer of apps) {
      const token = await (await tokensOf(issuer)).issue("keypair", CHALLENGE, CONTEXT);
      for (const opener of apps) {
        const tokens = await tokensOf(opener);
        const expected = opener === issuer ? "opened" : "jwt_error";
        expect(await outcome(() => tokens.open(token, "keypair", CONTEXT))).toBe(expected);
        expect(await outcome(() => tokens.open(token, "passkey", { operation: "sync" }))).toBe(
          opener === issuer ? "unexpected_challenge_type" : "jwt_error",
        );
      }
    }
  });

  for (const [name, type, context, code] of [
    ["another type", "passkey", CONTEXT, "unexpected_challenge_type"],
    ["another operation", "keypair", { ...CONTEXT, operation: "reset" }, "invalid_challenge_context"],
    ["another binding", "keypair", { ...CONTEXT, bindings: { factorId: "g" } }, "invalid_challenge_context"],
    ["no binding", "keypair", { operation: "delete-factor" }, "invalid_challenge_context"],
    [
      "a binding of another name",
      "keypair",
      { ...CONTEXT, bindings: { backupAccountId: "f" } },
      "invalid_challenge_context",
    ],
    [
      "a binding more",
      "keypair",
      { ...CONTEXT, bindings: { factorId: "f", more: "" } },
      "invalid_challenge_context",
    ],
    [
      "a binding that objects inherit",
      "keypair",
      { ...CONTEXT, bindings: { toString: "f" } },
      "invalid_challenge_context",
    ],
    ["another type and operation", "passkey", { operation: "sync" }, "unexpected_challenge_type"],
  ] as const)
    test(`do not open for ${name}`, async () => {
      const tokens = await createChallengeTokens([NEW], new SettableClock());
      const token = await tokens.issue("keypair", CHALLENGE, CONTEXT);
      expect(await outcome(() => tokens.open(token, type, context))).toBe(code);
    });

  describe.each<Record<string, unknown>>([
    {},
    { crit: ["x"], x: 1 },
    { crit: ["b64"], b64: true },
    { crit: ["exp"], exp: 1 },
  ])("with %j in the header", (header) => {
    test(`${Object.hasOwn(header, "crit") ? "do not open" : "open"}, even made with our key`, async () => {
      const clock = new SettableClock();
      const tokens = await createChallengeTokens([NEW], clock);
      const nowS = Math.floor(clock.nowMs() / 1000);
      const claims = {
        type: "keypair",
        challenge: Buffer.from(CHALLENGE).toString("base64url"),
        ...CONTEXT,
        nbf: nowS,
        exp: nowS + 60,
      };
      const token = await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: NEW.kid, ...header })
        .encrypt(NEW.secret, { crit: { x: true, b64: true, exp: true } });
      const expected = Object.hasOwn(header, "crit") ? "jwt_error" : "opened";
      expect(await outcome(() => tokens.open(token, "keypair", CONTEXT))).toBe(expected);
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ["an operation that no version knows", { operation: "unknown" }],
    ["no operation", { operation: undefined }],
    ["a challenge that is not base64url", { challenge: "!" }],
    ["a binding that is no text", { bindings: { factorId: 1 } }],
    ["an app that is no text", { app: 1 }],
    ["no time from which it is valid", { nbf: undefined }],
    ["no time until which it is valid", { exp: undefined }],
  ])("with %s are refused, even made with our key", async (_, wrong) => {
    const clock = new SettableClock();
    const tokens = await createChallengeTokens([NEW], clock);
    const nowS = Math.floor(clock.nowMs() / 1000);
    const challenge = Buffer.from(CHALLENGE).toString("base64url");
    const claims = { type: "keypair", challenge, ...CONTEXT, nbf: nowS, exp: nowS + 60, ...wrong };
    const token = await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: NEW.kid })
      .encrypt(NEW.secret);
    expect(await outcome(() => tokens.read(token, "keypair"))).toBe("jwt_error");
  });

  describe("while keys are rotated", () => {
    const steps: readonly (readonly [
      name: string,
      issuing: readonly ChallengeTokenKey[],
      opening: readonly ChallengeTokenKey[],
      expected: string,
    ])[] = [
      ["the new key is known before it encrypts", [OLD], [OLD, NEW], "opened"],
      ["the first key encrypts", [NEW, OLD], [NEW], "opened"],
      ["the last key does not encrypt", [NEW, OLD], [OLD], "jwt_error"],
      ["the old key still decrypts", [OLD], [NEW, OLD], "opened"],
      ["a key that was taken out decrypts no longer", [OLD], [NEW], "jwt_error"],
      ["another key of the same name decrypts nothing", [OLD], [{ ...NEW, kid: "old" }], "jwt_error"],
      ["the same key under another name is not looked for", [OLD], [{ ...OLD, kid: "other" }], "jwt_error"],
    ];
    for (const [name, issuing, opening, expected] of steps)
      test(name, async () => {
        const clock = new SettableClock();
        const issuer = await createChallengeTokens(issuing, clock);
        const token = await issuer.issue("keypair", CHALLENGE, CONTEXT);
        expect(headerOf(token).kid).toBe(issuing[0]?.kid ?? "");
        const opener = await createChallengeTokens(opening, clock);
        expect(await outcome(() => opener.open(token, "keypair", CONTEXT))).toBe(expected);
      });

    test("there must be a key", async () => {
      await expect(createChallengeTokens([], new SettableClock())).rejects.toThrow("at least one");
    });
  });
});
