/** The CPU time of the cryptography of each kind of proof. */

import { verifyAccountSignature } from "../../src/proofs/account-key.ts";
import { createAttestationVerifier } from "../../src/proofs/app-attestation/verifier.ts";
import { createOidcVerifier } from "../../src/proofs/identity/oidc.ts";
import { createJwks } from "../../src/proofs/jwks.ts";
import { verifyKeypairSignature } from "../../src/proofs/keypair.ts";
import { createPasskeyVerifier } from "../../src/proofs/passkey/passkey.ts";
import { parseAssertion } from "../../src/proofs/passkey/webauthn-credential.ts";
import { createBackground } from "../../src/runtime/background.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { AttestationIssuer } from "../support/attestation-issuer.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";
import { randomBytes } from "../support/users.ts";
import { cpuMs, median } from "./measure.ts";

export interface CryptoStep {
  readonly step: string;
  /** CPU milliseconds, the median of the rounds. */
  readonly ms: number;
}

const ROUNDS = 5;
const CALLS = 200;
const WARM_UP_CALLS = 2_000;

export async function measureCryptoSteps(): Promise<CryptoStep[]> {
  await using oidcIssuer = new OidcIssuer(systemClock);
  await using attestationIssuer = new AttestationIssuer(systemClock);
  const background = createBackground(await createLogger({ level: "silent", format: "json" }));
  const jwksAt = (url: string) => createJwks({ url, clock: systemClock, background });

  const challenge = randomBytes(32);
  const challengeText = Buffer.from(challenge).toString("base64");
  const keypair = createFactorKeypair();
  const signature = keypair.sign(challengeText);
  const verifyKeypair = () => verifyKeypairSignature(keypair.publicKey, signature, challenge);

  const account = createAccountKeypair();
  const accountSignature = account.sign(challengeText);

  const oidc = createOidcVerifier(oidcIssuer.config, jwksAt, systemClock);
  const idToken = { kind: "GOOGLE", token: oidcIssuer.token("GOOGLE", keypair.publicKey) } as const;

  const attestation = createAttestationVerifier(attestationIssuer.config, jwksAt, systemClock);
  const request = { method: "POST", path: "/v1/verify-factor", body: JSON.stringify({ x: "y".repeat(500) }) };
  const header = attestationIssuer.token(request);

  const passkeys = createPasskeyVerifier({
    rpId: "backup.example",
    rpName: "Bench",
    origins: ["https://backup.example"],
  });
  const options = { publicKey: { challenge: Buffer.from(challenge).toString("base64url") } };
  const passkeySteps = async (algorithm: "ES256" | "RS256") => {
    const authenticator = new SoftwareAuthenticator({ algorithm });
    const registered = authenticator.register(options);
    const { credential } = passkeys.verifyRegistration(registered, challenge);
    const asserted = authenticator.assert(options);
    const opened = { challenge, nonce: { id: "challenge", expiresAtMs: 0 } };
    return {
      [`passkey assertion, ${algorithm}`]: () =>
        passkeys.verifyAssertion(parseAssertion(asserted), opened, credential),
      [`passkey registration, ${algorithm}`]: () => passkeys.verifyRegistration(registered, challenge),
    };
  };

  const steps: Readonly<Record<string, () => unknown>> = {
    "P-256 signature": verifyKeypair,
    ...(await passkeySteps("ES256")),
    ...(await passkeySteps("RS256")),
    "id_token (RS256) and P-256 signature": async () => {
      await oidc.verify(idToken, keypair.publicKey);
      verifyKeypair();
    },
    "attestation (ES256) and P-256 signature": async () => {
      await attestation.verify({ header, ...request });
      verifyKeypair();
    },
    "secp256k1 signature (reset)": () =>
      verifyAccountSignature(account.backupAccountId, accountSignature, challenge),
  };

  const measured: CryptoStep[] = [];
  for (const [step, call] of Object.entries(steps)) {
    await cpuMs(call, WARM_UP_CALLS);
    const rounds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push(await cpuMs(call, CALLS));
    measured.push({ step, ms: median(rounds) });
  }
  return measured;
}
