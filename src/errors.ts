/**
 * Every failure that an answer can name. The codes are part of the wire format and never change; what status
 * they travel with is decided in one table of the HTTP layer.
 */
export type ErrorCode =
  // the request itself
  | "invalid_payload"
  | "multipart_error"
  | "missing_payload_field"
  | "missing_backup_field"
  | "empty_backup_file"
  | "content_too_large"
  | "unsupported_media_type"
  | "not_found"
  | "method_not_allowed"
  | "request_timeout"
  // challenge tokens and proofs
  | "jwt_error"
  | "unexpected_challenge_type"
  | "invalid_challenge_context"
  | "signature_verification_error"
  | "invalid_signature"
  | "invalid_backup_account_id"
  | "already_used"
  | "token_not_found"
  | "invalid_challenge"
  // passkeys
  | "webauthn_error"
  | "webauthn_invalid_payload"
  | "webauthn_prf_results_not_allowed"
  // id_tokens
  | "oidc_token_parse_error"
  | "oidc_token_invalid_aud"
  | "oidc_token_verification_error"
  | "oidc_token_invalid_nonce"
  | "missing_email"
  // Turnkey stamps
  | "missing_turnkey_activity"
  | "invalid_turnkey_activity"
  | "turnkey_activity_error"
  // attestation
  | "invalid_attestation_token_header"
  | "invalid_attestation_token_claim"
  | "invalid_attestation_token"
  // factors
  | "invalid_authorization_type"
  | "invalid_sync_factor_type"
  | "backup_untraceable"
  | "backup_missing"
  | "unauthorized_factor"
  | "factor_already_exists"
  | "factor_not_found"
  | "too_many_factors"
  | "missing_turnkey_provider_id"
  | "oidc_token_mismatch"
  | "invalid_new_factor_type"
  | "invalid_new_factor_authorization_type"
  // backups
  | "missing_backup_account_proof"
  | "backup_account_id_already_exists"
  | "backup_not_found"
  | "backup_does_not_exist"
  | "backup_id_mismatch"
  | "manifest_hash_mismatch"
  | "conflicting_lock"
  // encryption keys
  | "encryption_key_not_allowed"
  | "encryption_key_not_found"
  | "factor_orphaned_from_encryption_key"
  | "only_one_encryption_key_per_type_allowed"
  // the service
  | "too_many_requests"
  | "service_unavailable"
  | "internal_server_error";

/**
 * A failure with a code of the wire format. `message` is read by humans: short, free of secrets and of more than
 * 50 characters of what the client sent. `cause` goes to the log only.
 */
export class ServiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ServiceError";
    this.code = code;
  }
}
