import type { ErrorCode } from "../errors.ts";
import type { Scope } from "../protocol/factor.ts";

const TOKEN_ERRORS: readonly ErrorCode[] = [
  "jwt_error",
  "unexpected_challenge_type",
  "invalid_challenge_context",
];

const KEYPAIR_ERRORS: readonly ErrorCode[] = [...TOKEN_ERRORS, "signature_verification_error"];

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

const ENTRY_ERRORS: readonly ErrorCode[] = [
  "already_used",
  "backup_untraceable",
  "backup_missing",
  "unauthorized_factor",
];

/** What every call by a factor that should be on a backup may answer. */
export const EXISTING_FACTOR_ERRORS: Readonly<Record<Scope, readonly ErrorCode[]>> = {
  MAIN: [...MAIN_FACTOR_ERRORS, ...ENTRY_ERRORS],
  SYNC: ["invalid_authorization_type", ...KEYPAIR_ERRORS, ...ENTRY_ERRORS],
};

/** What every call that puts a main factor on a backup may answer about that factor's proof. */
export const REGISTRATION_ERRORS: readonly ErrorCode[] = [...MAIN_FACTOR_ERRORS, "missing_email"];

/** What a call that needs an attestation may answer about it. */
export const ATTESTATION_ERRORS: readonly ErrorCode[] = [
  "invalid_attestation_token_header",
  "invalid_attestation_token_claim",
  "invalid_attestation_token",
];
