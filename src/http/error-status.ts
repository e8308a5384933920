import type { ErrorCode, ServiceError } from "../errors.ts";
import { TooManyRequests } from "../limits/rate-limiter.ts";
import { UnsupportedCoding } from "./content-coding.ts";

/** The status each code travels with. Exhaustive: a new code does not compile until it has one. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_payload: 400,
  multipart_error: 400,
  missing_payload_field: 400,
  missing_backup_field: 400,
  empty_backup_file: 400,
  content_too_large: 413,
  unsupported_media_type: 415,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  jwt_error: 400,
  unexpected_challenge_type: 400,
  invalid_challenge_context: 400,
  signature_verification_error: 400,
  invalid_signature: 400,
  invalid_backup_account_id: 400,
  already_used: 400,
  token_not_found: 400,
  invalid_challenge: 400,
  webauthn_error: 400,
  webauthn_invalid_payload: 400,
  webauthn_prf_results_not_allowed: 400,
  oidc_token_parse_error: 400,
  oidc_token_invalid_aud: 400,
  oidc_token_verification_error: 400,
  oidc_token_invalid_nonce: 400,
  missing_email: 400,
  missing_turnkey_activity: 400,
  invalid_turnkey_activity: 400,
  turnkey_activity_error: 400,
  invalid_attestation_token_header: 400,
  invalid_attestation_token_claim: 400,
  invalid_attestation_token: 400,
  invalid_authorization_type: 400,
  invalid_sync_factor_type: 400,
  backup_untraceable: 400,
  backup_missing: 400,
  unauthorized_factor: 400,
  factor_already_exists: 400,
  factor_not_found: 400,
  too_many_factors: 409,
  missing_turnkey_provider_id: 400,
  oidc_token_mismatch: 400,
  invalid_new_factor_type: 400,
  invalid_new_factor_authorization_type: 400,
  missing_backup_account_proof: 400,
  backup_account_id_already_exists: 409,
  backup_not_found: 400,
  backup_does_not_exist: 400,
  backup_id_mismatch: 400,
  manifest_hash_mismatch: 412,
  conflicting_lock: 423,
  encryption_key_not_allowed: 400,
  encryption_key_not_found: 400,
  factor_orphaned_from_encryption_key: 400,
  only_one_encryption_key_per_type_allowed: 400,
  too_many_requests: 429,
  service_unavailable: 503,
  internal_server_error: 500,
};

/** A well-formed JSON body whose members are missing or wrong: `invalid_payload`, but not with its usual status. */
export const SCHEMA_MISMATCH_STATUS = 422;

/** Where repeating the identical request can succeed. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([423, 429, 503]);
const RETRY_AFTER_S = 1;

export function isRetryable(status: number): boolean {
  return RETRYABLE_STATUSES.has(status);
}

export function statusOf(code: ErrorCode): number {
  return STATUS[code];
}

/** The one shape of every error answer. */
export interface ErrorBody {
  readonly allowRetry: boolean;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export function errorResponse(
  code: ErrorCode,
  message: string,
  status = statusOf(code),
  headers: Readonly<Record<string, string>> = {},
): Response {
  const allowRetry = isRetryable(status);
  const body: ErrorBody = { allowRetry, error: { code, message } };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      ...(status === 503 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
      ...headers,
    },
  });
}

/** The answer to an error that has a code. */
export function serviceErrorResponse(error: ServiceError): Response {
  return errorResponse(error.code, error.message, statusOf(error.code), headersFor(error));
}

function headersFor(error: ServiceError): Readonly<Record<string, string>> {
  if (error instanceof TooManyRequests) return { "retry-after": String(error.retryAfterS) };
  if (error instanceof UnsupportedCoding) return { "accept-encoding": "identity" };
  return {};
}
