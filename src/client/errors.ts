/** What the client throws. Every class has a name that minifying keeps. */

/** Anything that the client throws, but for the reason of an abort and what an app's own functions throw. */
export class BackupClientError extends Error {
  override name = "BackupClientError";
}

/** There was no response. */
export class ConnectionError extends BackupClientError {
  override name = "ConnectionError";
}

/** There was no response in time. */
export class TimeoutError extends ConnectionError {
  override name = "TimeoutError";
}

/** The request may or may not have taken effect: read the metadata before trying again. `cause` is the last failure. */
export class OutcomeUnknownError extends BackupClientError {
  override name = "OutcomeUnknownError";
}

/** The device, or the passkey, has no PRF extension, so there is no secret to encrypt a key with. */
export class PrfUnavailableError extends BackupClientError {
  override name = "PrfUnavailableError";
}

/** What the service says of a request that it refused. */
export interface Refusal {
  /** The code of the wire format. Codes may be added. */
  readonly code: string;
  /** The HTTP status. */
  readonly status: number;
  /** Whether repeating the identical request can succeed. */
  readonly allowRetry: boolean;
  /** For humans; its wording may change. */
  readonly message: string;
  /** The `retry-after` of the response; `null` where it has none. */
  readonly retryAfterMs: number | null;
  /** Names the request in the log of the service. */
  readonly requestId: string | null;
}

/** The service refused a request. The subclass says what an app does about it, `code` why exactly. */
export class RefusedError extends BackupClientError implements Refusal {
  override name = "RefusedError";
  readonly code: string;
  readonly status: number;
  readonly allowRetry: boolean;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;

  constructor({ code, status, allowRetry, message, retryAfterMs, requestId }: Refusal) {
    super(`${code}: ${message}`);
    this.code = code;
    this.status = status;
    this.allowRetry = allowRetry;
    this.retryAfterMs = retryAfterMs;
    this.requestId = requestId;
  }
}

/** The request is wrong: a fault of the app. */
export class InvalidRequestError extends RefusedError {
  override name = "InvalidRequestError";
}

/** The content has more than 15 MiB, or another member more than the service takes. */
export class ContentTooLargeError extends RefusedError {
  override name = "ContentTooLargeError";
}

/** A signature, an assertion or a token is not right. Start the operation again; if that fails, the key is another one. */
export class ProofRefusedError extends RefusedError {
  override name = "ProofRefusedError";
}

/** The challenge or the id_token was used before. Start the operation again, with a new sign-in for an account. */
export class AlreadyUsedError extends RefusedError {
  override name = "AlreadyUsedError";
}

/** The id_token is not accepted. Sign in again; if that fails, client id or nonce are configured wrongly. */
export class IdTokenRefusedError extends RefusedError {
  override name = "IdTokenRefusedError";
}

/** The app attestation is missing or wrong. */
export class AttestationRefusedError extends RefusedError {
  override name = "AttestationRefusedError";
}

/** The factor is on no backup, or was removed from it. The user recovers with a main factor, or with another one. */
export class UnknownFactorError extends RefusedError {
  override name = "UnknownFactorError";
}

/** There is no such backup, or it was deleted. */
export class BackupNotFoundError extends RefusedError {
  override name = "BackupNotFoundError";
}

/** The account has a backup. Recover it instead. */
export class BackupAlreadyExistsError extends RefusedError {
  override name = "BackupAlreadyExistsError";
}

/** The factor is on a backup, maybe another one. */
export class FactorAlreadyExistsError extends RefusedError {
  override name = "FactorAlreadyExistsError";
}

/** The backup has no such factor. Read the metadata. */
export class FactorNotFoundError extends RefusedError {
  override name = "FactorNotFoundError";
}

/** The backup has as many factors as it may have. Remove or replace one. */
export class TooManyFactorsError extends RefusedError {
  override name = "TooManyFactorsError";
}

/** The service no longer has this version. Read the metadata. */
export class VersionNotFoundError extends RefusedError {
  override name = "VersionNotFoundError";
}

/** Another device was faster. Recover or read what is current, merge, and update again. */
export class ManifestHashMismatchError extends RefusedError {
  override name = "ManifestHashMismatchError";
}

/** The backup is encrypted for another public key. */
export class EncryptionPublicKeyMismatchError extends RefusedError {
  override name = "EncryptionPublicKeyMismatchError";
}

/** Another device changed the backup at the same moment. Read the metadata, and decide again. */
export class ConflictingLockError extends RefusedError {
  override name = "ConflictingLockError";
}

/** The change would leave a factor without its key, or a key without its place. */
export class EncryptionKeyRefusedError extends RefusedError {
  override name = "EncryptionKeyRefusedError";
}

/** The service is configured not to do this. */
export class NotSupportedError extends RefusedError {
  override name = "NotSupportedError";
}

/** Too many requests. Try again after `retryAfterMs`. */
export class TooManyRequestsError extends RefusedError {
  override name = "TooManyRequestsError";
}

/** The service cannot respond now. Try again later. */
export class ServiceUnavailableError extends RefusedError {
  override name = "ServiceUnavailableError";
}

const CLASSES: ReadonlyMap<string, typeof RefusedError> = new Map(
  (
    [
      [
        InvalidRequestError,
        "invalid_payload multipart_error missing_payload_field missing_backup_field empty_backup_file " +
          "unsupported_media_type method_not_allowed missing_turnkey_activity missing_turnkey_provider_id " +
          "missing_backup_account_proof invalid_backup_account_id invalid_authorization_type " +
          "invalid_sync_factor_type invalid_new_factor_type invalid_new_factor_authorization_type " +
          "encryption_key_not_allowed webauthn_invalid_payload webauthn_prf_results_not_allowed",
      ],
      [ContentTooLargeError, "content_too_large"],
      [
        ProofRefusedError,
        "jwt_error unexpected_challenge_type invalid_challenge_context signature_verification_error " +
          "invalid_signature token_not_found invalid_challenge webauthn_error invalid_turnkey_activity " +
          "turnkey_activity_error oidc_token_mismatch passkey_registration_mismatch " +
          "existing_factor_material_binding_mismatch",
      ],
      [AlreadyUsedError, "already_used"],
      [
        IdTokenRefusedError,
        "oidc_token_parse_error oidc_token_invalid_aud oidc_token_verification_error " +
          "oidc_token_invalid_nonce missing_email",
      ],
      [
        AttestationRefusedError,
        "invalid_attestation_token_header invalid_attestation_token_claim invalid_attestation_token",
      ],
      [UnknownFactorError, "backup_untraceable unauthorized_factor backup_id_mismatch"],
      [BackupNotFoundError, "not_found backup_missing backup_not_found backup_does_not_exist"],
      [BackupAlreadyExistsError, "backup_account_id_already_exists"],
      [FactorAlreadyExistsError, "factor_already_exists"],
      [FactorNotFoundError, "factor_not_found"],
      [TooManyFactorsError, "too_many_factors"],
      [VersionNotFoundError, "version_not_found"],
      [ManifestHashMismatchError, "manifest_hash_mismatch"],
      [EncryptionPublicKeyMismatchError, "encryption_public_key_mismatch"],
      [ConflictingLockError, "conflicting_lock"],
      [
        EncryptionKeyRefusedError,
        "encryption_key_not_found factor_orphaned_from_encryption_key only_one_encryption_key_per_type_allowed",
      ],
      [NotSupportedError, "not_supported"],
      [TooManyRequestsError, "too_many_requests"],
      [ServiceUnavailableError, "service_unavailable request_timeout internal_server_error"],
    ] as const
  ).flatMap(([type, codes]) => codes.split(" ").map((code) => [code, type] as const)),
);

/** The error of a refusal, of the class of its code. */
export function refusedError(refusal: Refusal): RefusedError {
  return new (CLASSES.get(refusal.code) ?? RefusedError)(refusal);
}
