/** Verifies a keypair or an account. The metadata of a backup decides whether the factor is on it. */
import { ServiceError } from "../errors.ts";
import type {
  Authorization,
  EcKeypairAuthorization,
  OidcAccountAuthorization,
  PasskeyAuthorization,
} from "../protocol/authorization.ts";
import type { Scope } from "../protocol/factor.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { ChallengeType, OpenedChallenge } from "./challenge-tokens.ts";
import type { OidcVerifier, VerifiedIdToken } from "./identity/oidc.ts";
import { verifyKeypairSignature } from "./keypair.ts";
import { PossibleReplay } from "./possible-replay.ts";

/** What distinguishes a factor from all others of its kind. */
export type FactorIdentity =
  | { readonly kind: "EC_KEYPAIR"; readonly publicKey: string }
  | { readonly kind: "OIDC_ACCOUNT"; readonly account: { readonly issuer: string; readonly sub: string } }
  | { readonly kind: "PASSKEY"; readonly credentialId: string };

/** A factor that proved itself, and the nonces that the proof consumes. They are not consumed yet. */
export interface Proof<Kind extends FactorIdentity = FactorIdentity> {
  readonly kind: Kind;
  readonly nonces: readonly Nonce[];
}

/** @throws ServiceError `invalid_authorization_type` when a factor of this kind cannot act in this scope. */
export function requireActsIn(scope: Scope, { kind }: Authorization): void {
  if (scope === "SYNC" && kind !== "EC_KEYPAIR")
    throw new ServiceError("invalid_authorization_type", "Only a keypair sync factor may do this");
}

/** Passkeys solve a WebAuthn challenge, also inside a Turnkey activity; everything else signs with a keypair. */
export function challengeTypeOf(kind: Authorization["kind"]): ChallengeType {
  return kind === "PASSKEY" ? "passkey" : "keypair";
}

/**
 * Checks a proof that contains its public key. `PasskeyVerifier` checks assertions, with the stored credential.
 *
 * @throws ServiceError as {@link verifyKeypair} and {@link verifyAccount}.
 */
export async function verifyProof(
  idTokens: OidcVerifier,
  authorization: Exclude<Authorization, PasskeyAuthorization>,
  opened: OpenedChallenge,
): Promise<Proof> {
  if (authorization.kind === "EC_KEYPAIR") return verifyKeypair(authorization, opened);
  const { issuer, sub, nonce } = await verifyAccount(idTokens, authorization, opened);
  return { kind: { kind: "OIDC_ACCOUNT", account: { issuer, sub } }, nonces: [opened.nonce, nonce] };
}

/** @throws ServiceError `signature_verification_error`. */
export function verifyKeypair(
  { publicKey, signature }: EcKeypairAuthorization,
  { challenge, nonce }: OpenedChallenge,
) {
  verifyKeypairSignature(publicKey, signature, challenge);
  return { kind: { kind: "EC_KEYPAIR", publicKey }, nonces: [nonce] } as const;
}

/**
 * Checks an id_token, then that the key in its nonce signed the challenge.
 *
 * @throws ServiceError what {@link OidcVerifier.verify} throws; `signature_verification_error` as `PossibleReplay` of
 *   the id_token.
 */
export async function verifyAccount(
  idTokens: OidcVerifier,
  { oidcToken, publicKey, signature }: OidcAccountAuthorization,
  { challenge }: OpenedChallenge,
): Promise<VerifiedIdToken> {
  const idToken = await idTokens.verify(oidcToken, publicKey);
  try {
    verifyKeypairSignature(publicKey, signature, challenge);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new PossibleReplay(error.code, error.message, [idToken.nonce]);
  }
  return idToken;
}
