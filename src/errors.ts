/**
 * Every error code of the wire format, with its HTTP status and whether it counts as a failed proof. Codes never change.
 */

interface ErrorFacts {
  /** The HTTP status of the response. */
  readonly status: number;
  /** Whether a proof failed. A client that receives many of these is guessing. */
  readonly isFailedProof?: true;
}

const ERRORS = {
  // the request itself
  invalid_payload: { status: 400 },
  multipart_error: { status: 400 },
  missing_payload_field: { status: 400 },
  missing_backup_field: { status: 400 },
  empty_backup_file: { status: 400 },
  content_too_large: { status: 413 },
  unsupported_media_type: { status: 415 },
  not_found: { status: 404 },
  method_not_allowed: { status: 405 },
  request_timeout: { status: 408 },
  // challenge tokens and proofs
  jwt_error: { status: 400, isFailedProof: true },
  unexpected_challenge_type: { status: 400, isFailedProof: true },
  invalid_challenge_context: { status: 400, isFailedProof: true },
  signature_verification_error: { status: 400, isFailedProof: true },
  invalid_signature: { status: 400, isFailedProof: true },
  invalid_backup_account_id: { status: 400 },
  already_used: { status: 400, isFailedProof: true },
  token_not_found: { status: 400, isFailedProof: true },
  invalid_challenge: { status: 400 },
  // passkeys
  webauthn_error: { status: 400, isFailedProof: true },
  webauthn_invalid_payload: { status: 400 },
  webauthn_prf_results_not_allowed: { status: 400 },
  // id_tokens
  oidc_token_parse_error: { status: 400 },
  oidc_token_invalid_aud: { status: 400 },
  oidc_token_verification_error: { status: 400, isFailedProof: true },
  oidc_token_invalid_nonce: { status: 400, isFailedProof: true },
  missing_email: { status: 400 },
  // Turnkey stamps
  missing_turnkey_activity: { status: 400 },
  invalid_turnkey_activity: { status: 400 },
  turnkey_activity_error: { status: 400, isFailedProof: true },
  // attestation
  invalid_attestation_token_header: { status: 400 },
  invalid_attestation_token_claim: { status: 400, isFailedProof: true },
  invalid_attestation_token: { status: 400, isFailedProof: true },
  // factors
  invalid_authorization_type: { status: 400 },
  invalid_sync_factor_type: { status: 400 },
  backup_untraceable: { status: 400, isFailedProof: true },
  backup_missing: { status: 400, isFailedProof: true },
  unauthorized_factor: { status: 400, isFailedProof: true },
  factor_already_exists: { status: 400 },
  factor_not_found: { status: 400 },
  too_many_factors: { status: 409 },
  missing_turnkey_provider_id: { status: 400 },
  oidc_token_mismatch: { status: 400 },
  passkey_registration_mismatch: { status: 400 },
  existing_factor_material_binding_mismatch: { status: 400 },
  invalid_new_factor_type: { status: 400 },
  invalid_new_factor_authorization_type: { status: 400 },
  // backups
  missing_backup_account_proof: { status: 400 },
  backup_account_id_already_exists: { status: 409 },
  backup_not_found: { status: 400 },
  backup_does_not_exist: { status: 400 },
  backup_id_mismatch: { status: 400 },
  version_not_found: { status: 400 },
  manifest_hash_mismatch: { status: 412 },
  encryption_public_key_mismatch: { status: 409 },
  conflicting_lock: { status: 423 },
  // encryption keys
  encryption_key_not_allowed: { status: 400 },
  encryption_key_not_found: { status: 400 },
  factor_orphaned_from_encryption_key: { status: 400 },
  only_one_encryption_key_per_type_allowed: { status: 400 },
  // the service
  not_supported: { status: 400 },
  too_many_requests: { status: 429 },
  service_unavailable: { status: 503 },
  internal_server_error: { status: 500 },
} as const satisfies Readonly<Record<string, ErrorFacts>>;

export type ErrorCode = keyof typeof ERRORS;

export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[]; // a constant table has no other keys than its type

/** The HTTP status of a response with this code. */
export function statusOf(code: ErrorCode): number {
  return ERRORS[code].status;
}

export function isFailedProof(code: ErrorCode): boolean {
  return "isFailedProof" in ERRORS[code];
}

/** Whether a retry of the identical request can succeed. */
export function isRetryable(status: number): boolean {
  return status === 423 || status === 429 || status === 503;
}

/**
 * A failure with a code of the wire format. `message` is for humans: short, without secrets, and with at most 50
 * characters of what the client sent. `cause` is logged only.
 */
export class ServiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ServiceError";
    this.code = code;
  }
}

/**
 * There is no room for a request now: memory, disk, a permit. That is no fault and happens in floods, so it is reported as
 * such. `message` is a constant text.
 */
export class NoRoom extends ServiceError {
  constructor(message: string) {
    super("service_unavailable", message);
    this.name = "NoRoom";
  }
}
