/**
 * What an existing main factor agrees to when it adds another one. Its challenge token commits to the new factor, and the
 * tokens of the two factors carry the same pair id, so neither works with a token of another pair.
 */
import type { AddFactorConfig } from "../config/add-factor.ts";
import { encodeHex, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import type { ExistingFactorKind, NewFactor } from "../protocol/add-factor.ts";
import type { Authorization } from "../protocol/authorization.ts";
import { type ChallengeContext, invalidContext, type OpenedChallenge } from "./challenge-tokens.ts";

export interface Agreement {
  readonly pair: string;
  readonly kind: Authorization["kind"];
  /** SHA-256 of the id_token or of the public key; empty for a passkey, which does not exist yet. */
  readonly hash: string;
}

/** @throws ServiceError `not_supported` when a factor of this kind may not authorise an addition. */
export function requireMayAdd(existing: ExistingFactorKind, { existingOidc }: AddFactorConfig): void {
  if (existing === "OIDC_ACCOUNT" && !existingOidc)
    throw new ServiceError("not_supported", "An account cannot authorise that a factor is added here");
}

/** The agreement to a factor that a client is going to add. */
export function agreementTo(newFactor: NewFactor, pair: string): Agreement {
  switch (newFactor.kind) {
    case "OIDC_ACCOUNT":
      return { pair, kind: "OIDC_ACCOUNT", hash: hashOf(newFactor.oidcToken) };
    case "EC_KEYPAIR":
      return { pair, kind: "EC_KEYPAIR", hash: hashOf(newFactor.publicKey) };
    case "PASSKEY_REGISTRATION":
      return { pair, kind: "PASSKEY", hash: "" };
  }
}

/** What the token of the existing factor is issued for. */
export function existingFactorContext(existing: ExistingFactorKind, agreed: Agreement): ChallengeContext {
  return { operation: "add-factor", bindings: { existing, ...agreed } };
}

/** What the token of the new factor is issued for. */
export function newFactorContext({ pair }: Agreement): ChallengeContext {
  return { operation: "add-factor-new", bindings: { pair } };
}

/**
 * Reads what the token of the existing factor was issued for.
 *
 * @throws ServiceError `invalid_challenge_context`, also when it was issued for another kind of existing factor.
 */
export function agreedIn({ context }: OpenedChallenge, expected: ExistingFactorKind): Agreement {
  const { existing, pair, kind, hash } = context.bindings;
  if (context.operation !== "add-factor" || existing !== expected) throw invalidContext();
  if (pair === undefined || hash === undefined || !isKind(kind)) throw invalidContext();
  return { pair, kind, hash };
}

/**
 * Checks that the token of the new factor was issued with that of the existing one.
 *
 * @throws ServiceError `invalid_challenge_context`; `passkey_registration_mismatch` for the token of another registration.
 */
export function requirePair({ context }: OpenedChallenge, { pair, kind }: Agreement): void {
  if (context.operation !== "add-factor-new") throw invalidContext();
  if (context.bindings.pair === pair) return;
  if (kind !== "PASSKEY") throw invalidContext();
  throw new ServiceError(
    "passkey_registration_mismatch",
    "The registration is not the one the existing factor agreed to",
  );
}

/**
 * Checks that a new factor is the one that was agreed to.
 *
 * @throws ServiceError `invalid_new_factor_type`; `invalid_new_factor_authorization_type`; `oidc_token_mismatch`;
 *   `invalid_challenge_context`.
 */
export function requireAgreed(authorization: Authorization, agreed: Agreement): void {
  if (authorization.kind !== agreed.kind)
    throw new ServiceError(
      authorization.kind === "OIDC_ACCOUNT"
        ? "invalid_new_factor_type"
        : "invalid_new_factor_authorization_type",
      "The new factor is of another kind than the existing factor agreed to",
    );
  if (authorization.kind === "OIDC_ACCOUNT" && hashOf(authorization.oidcToken.token) !== agreed.hash)
    throw new ServiceError(
      "oidc_token_mismatch",
      "The id_token is not the one the existing factor agreed to",
    );
  if (authorization.kind === "EC_KEYPAIR" && hashOf(authorization.publicKey) !== agreed.hash)
    throw invalidContext();
}

/** Whether one session with a provider proves both factors: then its id_token may serve for both. */
export function isOneSession(existing: Authorization, added: Authorization): boolean {
  return (
    existing.kind === "OIDC_ACCOUNT" &&
    added.kind === "OIDC_ACCOUNT" &&
    existing.oidcToken.kind === added.oidcToken.kind &&
    existing.oidcToken.token === added.oidcToken.token &&
    existing.publicKey === added.publicKey
  );
}

function isKind(kind: string | undefined): kind is Authorization["kind"] {
  return kind === "PASSKEY" || kind === "OIDC_ACCOUNT" || kind === "EC_KEYPAIR";
}

function hashOf(text: string): string {
  return encodeHex(sha256(text));
}
