/** Verifies the proofs in a request. The error is that of the first step that fails. */
import type { Proven } from "../backups/authorise.ts";
import type { FoundPasskey } from "../backups/backups.ts";
import { factorRef } from "../backups/model.ts";
import { ServiceError } from "../errors.ts";
import { verifyAccountSignature } from "../proofs/account-key.ts";
import type { ChallengeContext, OpenedChallenge } from "../proofs/challenge-tokens.ts";
import { type NewFactorKind, type NewKeypair, verifyNewFactor } from "../proofs/new-factor.ts";
import type { ShownCounter } from "../proofs/passkey/signature-counter.ts";
import type { StoredCredential } from "../proofs/passkey/stored-credential.ts";
import { parseAssertion } from "../proofs/passkey/webauthn-credential.ts";
import { challengeTypeOf, type Proof, requireActsIn, verifyKeypair, verifyProof } from "../proofs/verify.ts";
import type { Authorization } from "../protocol/authorization.ts";
import type { Scope } from "../protocol/factor.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { Services } from "../services.ts";

type Prover = Pick<Services, "challengeTokens" | "idTokens" | "passkeys" | "backups">;

/** Finds the passkey of an assertion. `verify` is for where several have its id; what is found is verified in any case. */
type FindPasskey = (
  credentialId: string,
  nonces: readonly Nonce[],
  verify: (credential: StoredCredential) => void,
) => Promise<FoundPasskey>;

/**
 * Checks the proof of a factor that should be on a backup.
 *
 * @param findPasskey where passkeys are looked up; on the backups of the service by default.
 * @throws ServiceError `invalid_authorization_type`; what `ChallengeTokens.open` throws; as {@link proveOpened}.
 */
export function prove(
  services: Prover,
  scope: Scope,
  solved: { readonly authorization: Authorization; readonly challengeToken: string },
  context: ChallengeContext,
  findPasskey: FindPasskey = services.backups.findPasskey,
): Promise<Proven> {
  const { authorization, challengeToken } = solved;
  return services.backups.reportingReplays([], async () => {
    requireActsIn(scope, authorization);
    const type = challengeTypeOf(authorization.kind);
    const opened = await services.challengeTokens.open(challengeToken, type, context);
    return proveOpened(services, scope, authorization, opened, findPasskey);
  });
}

/**
 * Checks a proof whose challenge token was opened.
 *
 * @throws ServiceError the code of the failed cryptographic check; for a passkey what `Backups.findPasskey` throws.
 */
export async function proveOpened(
  { idTokens, passkeys, backups }: Prover,
  scope: Scope,
  authorization: Authorization,
  opened: OpenedChallenge,
  findPasskey: FindPasskey = backups.findPasskey,
): Promise<Proven> {
  if (authorization.kind !== "PASSKEY") {
    const proof = await verifyProof(idTokens, authorization, opened);
    return { factor: factorRef(scope, proof), nonces: proof.nonces, challengedAtMs: opened.issuedAtMs };
  }
  const assertion = parseAssertion(authorization.credential);
  const verify = (credential: StoredCredential) => passkeys.verifyAssertion(assertion, opened, credential);
  const found = await findPasskey(assertion.credentialId, [opened.nonce], verify);
  return provenPasskey(found, opened, verify(found.credential));
}

/** A passkey whose assertion was verified. */
export function provenPasskey(
  { factor, backup, consumed }: FoundPasskey,
  { nonce, issuedAtMs }: OpenedChallenge,
  shown: ShownCounter,
): Proven {
  return { factor, nonces: [nonce], challengedAtMs: issuedAtMs, passkey: { backup, consumed, shown } };
}

/**
 * Checks the proof of a new main factor.
 *
 * @throws ServiceError what `ChallengeTokens.open` and {@link verifyNewFactor} throw.
 */
export function proveNewMain(
  services: Prover,
  authorization: Authorization,
  challengeToken: string,
  context: ChallengeContext,
): Promise<Proof<NewFactorKind>> {
  return services.backups.reportingReplays([], async () => {
    const type = challengeTypeOf(authorization.kind);
    const opened = await services.challengeTokens.open(challengeToken, type, context);
    return verifyNewFactor(services, authorization, opened);
  });
}

/**
 * Checks the proof of a new sync factor. Returns it with the time at which its challenge was issued.
 *
 * @throws ServiceError `invalid_sync_factor_type`; what `ChallengeTokens.open` and {@link verifyKeypair} throw.
 */
export async function proveNewSync(
  { challengeTokens }: Pick<Prover, "challengeTokens">,
  authorization: Authorization,
  challengeToken: string,
  context: ChallengeContext,
): Promise<Proof<NewKeypair> & Pick<OpenedChallenge, "issuedAtMs">> {
  if (authorization.kind !== "EC_KEYPAIR")
    throw new ServiceError("invalid_sync_factor_type", "A sync factor must be a keypair");
  const opened = await challengeTokens.open(challengeToken, "keypair", context);
  return { ...verifyKeypair(authorization, opened), issuedAtMs: opened.issuedAtMs };
}

/**
 * Checks that a challenge was signed with the account key. Returns its nonce.
 *
 * @throws ServiceError what `ChallengeTokens.open` and {@link verifyAccountSignature} throw.
 */
export async function proveAccountKey(
  { challengeTokens }: Pick<Prover, "challengeTokens">,
  backupAccountId: string,
  { signature, challengeToken }: { readonly signature: string; readonly challengeToken: string },
  context: ChallengeContext,
): Promise<Nonce> {
  const { challenge, nonce } = await challengeTokens.open(challengeToken, "keypair", context);
  verifyAccountSignature(backupAccountId, signature, challenge);
  return nonce;
}
