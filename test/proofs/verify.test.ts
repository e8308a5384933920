import { describe, expect, test } from "bun:test";
import type { VerifiedIdToken } from "../../src/proofs/identity/oidc.ts";
import { verifyNewFactor } from "../../src/proofs/new-factor.ts";
import { createPasskeyVerifier } from "../../src/proofs/passkey/passkey.ts";
import { creationOptions } from "../../src/proofs/passkey/webauthn-options.ts";
import { PossibleReplay } from "../../src/proofs/possible-replay.ts";
import { challengeTypeOf, requireActsIn, verifyProof } from "../../src/proofs/verify.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { codeOf, errorOf } from "../support/error-of.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";

const challenge = new Uint8Array(32).fill(7);
const opened = {
  challenge,
  nonce: { id: "challenge", expiresAtMs: 1 },
  issuedAtMs: 0,
  context: { operation: "retrieve", bindings: {} },
} as const;
const idToken = {
  provider: "GOOGLE",
  issuer: "https://accounts.google.com",
  sub: "1",
  email: "ada@example.com",
  nonce: { id: "id_token", expiresAtMs: 2 },
} as const;
const WEBAUTHN = { rpId: "backup.example", rpName: "x", origins: ["https://backup.example"] };
const passkeys = createPasskeyVerifier(WEBAUTHN);
const verifiers = (verified: VerifiedIdToken) => ({ idTokens: { verify: async () => verified }, passkeys });

const { publicKey, sign } = createFactorKeypair();
const signature = sign(Buffer.from(challenge).toString("base64"));
const keypair = { kind: "EC_KEYPAIR", publicKey, signature } as const;
const account = { ...keypair, kind: "OIDC_ACCOUNT", oidcToken: { kind: "GOOGLE", token: "t" } } as const;

describe("a proof names its factor and the nonces to consume", () => {
  test("of a keypair", async () => {
    const expected = { kind: { kind: "EC_KEYPAIR", publicKey }, nonces: [opened.nonce] } as const;
    expect(await verifyProof(verifiers(idToken).idTokens, keypair, opened)).toEqual(expected);
    expect(await verifyNewFactor(verifiers(idToken), keypair, opened)).toEqual(expected);
  });

  test("of an account", async () => {
    const { issuer, sub } = idToken;
    const nonces = [opened.nonce, idToken.nonce];
    expect(await verifyProof(verifiers(idToken).idTokens, account, opened)).toEqual({
      kind: { kind: "OIDC_ACCOUNT", account: { issuer, sub } },
      nonces,
    });
    const kept = { kind: "GOOGLE", issuer, sub, maskedEmail: "ad***@example.com" } as const;
    expect(await verifyNewFactor(verifiers(idToken), account, opened)).toEqual({
      kind: { kind: "OIDC_ACCOUNT", account: kept },
      nonces,
    });
  });
});

test("a passkey that is to be added has the label of the request, and the nonce of the challenge", async () => {
  const { options, challenge: made } = creationOptions(WEBAUTHN, systemRandom, {
    platform: "IOS",
    name: "me",
    displayName: "Me",
  });
  const credential = new SoftwareAuthenticator().register(options);
  for (const [more, label] of [[{ label: "phone" }, "phone"] as const, [{}, ""] as const]) {
    const authorization = { kind: "PASSKEY", credential, ...more } as const;
    const proof = await verifyNewFactor(verifiers(idToken), authorization, { ...opened, challenge: made });
    expect(proof).toMatchObject({ kind: { kind: "PASSKEY", label }, nonces: [opened.nonce] });
  }
});

describe("what fails together with a genuine id_token may be a replay of that token, not of the challenge", () => {
  const nonces = [idToken.nonce];

  test("a wrong signature", async () => {
    const wrong = { ...account, signature: createFactorKeypair().sign("AAAA") };
    for (const verify of [
      () => verifyProof(verifiers(idToken).idTokens, wrong, opened),
      () => verifyNewFactor(verifiers(idToken), wrong, opened),
    ]) {
      const error = await errorOf(verify);
      expect(error).toBeInstanceOf(PossibleReplay);
      expect(error).toMatchObject({ code: "signature_verification_error", nonces });
    }
  });

  test("a missing address", async () => {
    const error = await errorOf(() =>
      verifyNewFactor(verifiers({ ...idToken, email: null }), account, opened),
    );
    expect(error).toBeInstanceOf(PossibleReplay);
    expect(error).toMatchObject({ code: "missing_email", nonces });
  });
});

test("a keypair that signed something else is refused, and so is one that is to be added", async () => {
  const wrong = { ...keypair, signature: createFactorKeypair().sign("AAAA") };
  const { idTokens } = verifiers(idToken);
  expect(await codeOf(() => verifyProof(idTokens, wrong, opened))).toBe("signature_verification_error");
  expect(await codeOf(() => verifyNewFactor(verifiers(idToken), wrong, opened))).toBe(
    "signature_verification_error",
  );
});

const passkey = { kind: "PASSKEY", credential: {} } as const;

test("only a keypair acts as a sync factor; every kind acts as a main factor", async () => {
  requireActsIn("SYNC", keypair);
  for (const authorization of [keypair, account, passkey]) requireActsIn("MAIN", authorization);
  for (const authorization of [account, passkey])
    expect(await codeOf(() => requireActsIn("SYNC", authorization))).toBe("invalid_authorization_type");
});

test("a passkey solves a WebAuthn challenge, every other kind signs with a keypair", () => {
  const kinds = [keypair, account, passkey].map(({ kind }) => challengeTypeOf(kind));
  expect(kinds).toEqual(["keypair", "keypair", "passkey"]);
});
