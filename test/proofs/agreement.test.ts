import { describe, expect, test } from "bun:test";
import {
  type Agreement,
  agreedIn,
  agreementTo,
  existingFactorContext,
  isOneSession,
  newFactorContext,
  requireAgreed,
  requireMayAdd,
  requirePair,
} from "../../src/proofs/agreement.ts";
import type { ChallengeContext } from "../../src/proofs/challenge-tokens.ts";
import type { Authorization } from "../../src/protocol/authorization.ts";
import { codeOf } from "../support/error-of.ts";

/** SHA-256 of "t" and of "k", as `printf t | sha256sum` has them. */
const HASH_OF_T = "e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8";
const HASH_OF_K = "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a";

const AGREEMENTS = {
  account: { pair: "p", kind: "OIDC_ACCOUNT", hash: HASH_OF_T },
  keypair: { pair: "p", kind: "EC_KEYPAIR", hash: HASH_OF_K },
  passkey: { pair: "p", kind: "PASSKEY", hash: "" },
} as const satisfies Record<string, Agreement>;

const account = {
  kind: "OIDC_ACCOUNT",
  oidcToken: { kind: "GOOGLE", token: "t" },
  publicKey: "k",
  signature: "s",
} as const satisfies Authorization;
const keypair = { kind: "EC_KEYPAIR", publicKey: "k", signature: "s" } as const satisfies Authorization;
const passkey = { kind: "PASSKEY", credential: {} } as const satisfies Authorization;

const opened = ({ operation, bindings = {} }: ChallengeContext) => ({
  challenge: new Uint8Array(32),
  nonce: { id: "n", expiresAtMs: 1 },
  issuedAtMs: 0,
  context: { operation, bindings },
});

describe("an existing factor agrees", () => {
  test("to the id_token or the key of the new factor; a passkey does not exist yet", () => {
    expect(agreementTo({ kind: "OIDC_ACCOUNT", oidcToken: "t" }, "p")).toEqual(AGREEMENTS.account);
    expect(agreementTo({ kind: "EC_KEYPAIR", publicKey: "k" }, "p")).toEqual(AGREEMENTS.keypair);
    expect(agreementTo({ kind: "PASSKEY_REGISTRATION", platform: "IOS" }, "p")).toEqual(AGREEMENTS.passkey);
  });

  test("by a token that says what it agreed to, and of which kind it is", async () => {
    for (const agreed of Object.values(AGREEMENTS)) {
      const token = opened(existingFactorContext("EC_KEYPAIR", agreed));
      expect(agreedIn(token, "EC_KEYPAIR")).toEqual(agreed);
      expect(await codeOf(() => agreedIn(token, "OIDC_ACCOUNT"))).toBe("invalid_challenge_context");
    }
  });

  const { operation, bindings = {} } = existingFactorContext("EC_KEYPAIR", AGREEMENTS.keypair);
  const { pair: _pair, ...withoutPair } = bindings;
  const { hash: _hash, ...withoutHash } = bindings;
  const { kind: _kind, ...withoutKind } = bindings;
  test.each([
    ["of another operation", { operation: "retrieve", bindings }],
    ["of the new factor", newFactorContext(AGREEMENTS.keypair)],
    ["without a pair", { operation, bindings: withoutPair }],
    ["without a hash", { operation, bindings: withoutHash }],
    ["without a kind", { operation, bindings: withoutKind }],
    ["of an unknown kind", { operation, bindings: { ...bindings, kind: "PASSKEY_REGISTRATION" } }],
  ] as const)("not by a token %s", async (_, context) => {
    expect(await codeOf(() => agreedIn(opened(context), "EC_KEYPAIR"))).toBe("invalid_challenge_context");
  });

  test("as an account only where accounts may", async () => {
    const config = { existingOidc: false, binding: "optional" } as const;
    expect(await codeOf(() => requireMayAdd("OIDC_ACCOUNT", config))).toBe("not_supported");
    requireMayAdd("OIDC_ACCOUNT", { ...config, existingOidc: true });
    for (const kind of ["PASSKEY", "PASSKEY_ASSERTION", "EC_KEYPAIR"] as const) requireMayAdd(kind, config);
  });
});

describe("the token of the new factor", () => {
  test("is that of the same pair", () => {
    for (const agreed of Object.values(AGREEMENTS)) requirePair(opened(newFactorContext(agreed)), agreed);
  });

  test("of another pair is refused, for a passkey as another registration", async () => {
    const other = opened(newFactorContext({ ...AGREEMENTS.keypair, pair: "other" }));
    const codes = { account: "invalid_challenge_context", keypair: "invalid_challenge_context" };
    expect(await codesOf((agreed) => requirePair(other, agreed))).toEqual({
      ...codes,
      passkey: "passkey_registration_mismatch",
    });
  });

  test("of another operation is refused, also with the pair", async () => {
    const other = opened({ operation: "add-factor", bindings: { pair: "p" } });
    expect(new Set(Object.values(await codesOf((agreed) => requirePair(other, agreed))))).toEqual(
      new Set(["invalid_challenge_context"]),
    );
  });
});

describe("the new factor", () => {
  test("is the one that was agreed to", () => {
    requireAgreed(account, AGREEMENTS.account);
    requireAgreed(keypair, AGREEMENTS.keypair);
    requireAgreed(passkey, AGREEMENTS.passkey);
  });

  test.each([
    ["an account for a keypair", account, AGREEMENTS.keypair, "invalid_new_factor_type"],
    ["an account for a passkey", account, AGREEMENTS.passkey, "invalid_new_factor_type"],
    ["a keypair for an account", keypair, AGREEMENTS.account, "invalid_new_factor_authorization_type"],
    ["a passkey for a keypair", passkey, AGREEMENTS.keypair, "invalid_new_factor_authorization_type"],
    ["another id_token", account, { ...AGREEMENTS.account, hash: HASH_OF_K }, "oidc_token_mismatch"],
    ["another key", keypair, { ...AGREEMENTS.keypair, hash: HASH_OF_T }, "invalid_challenge_context"],
  ] as const)("is not %s", async (_, authorization, agreed, code) => {
    expect(await codeOf(() => requireAgreed(authorization, agreed))).toBe(code);
  });
});

test("one session proves both factors where provider, id_token and key are the same", () => {
  expect(isOneSession(account, { ...account, signature: "another" })).toBe(true);
  for (const other of [
    { ...account, oidcToken: { kind: "APPLE", token: "t" } },
    { ...account, oidcToken: { kind: "GOOGLE", token: "another" } },
    { ...account, publicKey: "another" },
    keypair,
    passkey,
  ] as const) {
    expect(isOneSession(account, other)).toBe(false);
    expect(isOneSession(other, account)).toBe(false);
  }
  expect(isOneSession(keypair, keypair)).toBe(false);
});

/** With which code each kind of agreement is refused. */
async function codesOf(act: (agreed: Agreement) => void): Promise<Record<string, string>> {
  const codes: Record<string, string> = {};
  for (const [name, agreed] of Object.entries(AGREEMENTS)) codes[name] = await codeOf(() => act(agreed));
  return codes;
}
