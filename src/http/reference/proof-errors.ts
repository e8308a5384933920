/** The error codes of proofs, for the API reference. */
import type { ErrorCode } from "../../errors.ts";
import type { WireOperation } from "../../protocol/operation.ts";

const TOKEN_ERRORS: readonly ErrorCode[] = [
  "jwt_error",
  "unexpected_challenge_type",
  "invalid_challenge_context",
];

const BACKUP_ERRORS: readonly ErrorCode[] = [
  "already_used",
  "backup_untraceable",
  "backup_missing",
  "unauthorized_factor",
];

/** The errors of a keypair that solves a challenge. */
export const KEYPAIR_ERRORS: readonly ErrorCode[] = [...TOKEN_ERRORS, "signature_verification_error"];

const MAIN_FACTOR_ERRORS: readonly ErrorCode[] = [
  ...KEYPAIR_ERRORS,
  "oidc_token_invalid_aud",
  "oidc_token_parse_error",
  "oidc_token_verification_error",
  "oidc_token_invalid_nonce",
  "webauthn_prf_results_not_allowed",
  "webauthn_invalid_payload",
  "webauthn_error",
];

/** The errors of a new main factor. */
export const REGISTRATION_ERRORS: readonly ErrorCode[] = [
  ...MAIN_FACTOR_ERRORS,
  "missing_email",
  "missing_turnkey_provider_id",
];

/** The errors of the proof that authorises an operation. */
export const AUTHORISATION_ERRORS: Readonly<
  Record<NonNullable<WireOperation["authorisedBy"]>, readonly ErrorCode[]>
> = {
  MAIN: [...MAIN_FACTOR_ERRORS, ...BACKUP_ERRORS],
  SYNC: ["invalid_authorization_type", ...KEYPAIR_ERRORS, ...BACKUP_ERRORS],
  ACCOUNT_KEY: [...KEYPAIR_ERRORS, "invalid_backup_account_id", "invalid_signature", "already_used"],
};

export const ATTESTATION_ERRORS: readonly ErrorCode[] = [
  "invalid_attestation_token_header",
  "invalid_attestation_token_claim",
  "invalid_attestation_token",
];
