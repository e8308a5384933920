import type { ErrorCode } from "../errors.ts";
import type { FactorScope } from "../storage/contract.ts";

const PROOF_ERRORS: readonly ErrorCode[] = [
  "jwt_error",
  "unexpected_challenge_type",
  "invalid_challenge_context",
  "signature_verification_error",
  "already_used",
  "backup_untraceable",
  "backup_missing",
  "unauthorized_factor",
];

/** What every call by a factor that should be on a backup may answer. */
export const EXISTING_FACTOR_ERRORS: Readonly<Record<FactorScope, readonly ErrorCode[]>> = {
  MAIN: ["not_supported", ...PROOF_ERRORS],
  SYNC: ["invalid_authorization_type", ...PROOF_ERRORS],
};
