/** What each error code means, and what an app does about it: for the API reference. */
import { ERROR_CODES, type ErrorCode, statusOf } from "../../errors.ts";

export interface ErrorAdvice {
  /** A sentence about what is wrong. */
  readonly meaning: string;
  /** What the app does then. */
  readonly action: string;
}

const BUG = "This is a mistake in the app: correct the request. A retry fails again.";
const NEW_CHALLENGE = "Ask for a new challenge of this operation, solve it and send the request again.";
const SIGN_IN_AGAIN = "Let the user sign in again, with a new nonce, and repeat with the new id_token.";
const NEW_ATTESTATION = "Ask the attestation gateway for a new token for exactly this request.";

export const ERROR_GUIDE: Readonly<Record<ErrorCode, ErrorAdvice>> = {
  invalid_payload: {
    meaning:
      "The body is no JSON, or the host name of the request is that of no app (400), or a member is missing or of another type (422; the message names it).",
    action: BUG,
  },
  multipart_error: { meaning: "The body is no complete multipart form.", action: BUG },
  missing_payload_field: { meaning: "The form has no part `payload`.", action: BUG },
  missing_backup_field: { meaning: "The form has no part `backup`.", action: BUG },
  empty_backup_file: { meaning: "The part `backup` is empty.", action: BUG },
  content_too_large: {
    meaning: "The body or the ciphertext is larger than the service accepts.",
    action: "Make the backup smaller, and tell the user if that is not possible. A retry fails again.",
  },
  unsupported_media_type: {
    meaning: "The body is not of the documented content type, or it is compressed.",
    action: BUG,
  },
  not_found: {
    meaning: "There is no such backup, or nothing at this path.",
    action:
      "Treat the backup as absent: offer to bring it back (`undelete`), or to create one. For a path, compare it with this document.",
  },
  method_not_allowed: { meaning: "The path takes another method; the header `allow` names it.", action: BUG },
  request_timeout: {
    meaning: "The request took too long. It may have taken effect.",
    action: "Retry with the same challenge. If the retry gets `already_used`, the first request succeeded.",
  },
  jwt_error: {
    meaning: "The challenge token is not one of this service, or it has expired.",
    action: NEW_CHALLENGE,
  },
  unexpected_challenge_type: {
    meaning: "The token is for a passkey where a key signs, or the other way round.",
    action: "Use the challenge route of the kind of factor that signs.",
  },
  invalid_challenge_context: {
    meaning: "The token is for another operation, factor, backup or version.",
    action: NEW_CHALLENGE,
  },
  signature_verification_error: {
    meaning:
      "The signature does not verify with the public key, or one of them is not encoded as documented.",
    action: "Sign the raw bytes of the challenge, not their base64, and send DER in base64.",
  },
  invalid_signature: {
    meaning: "The signature of the account key is no DER signature in base64.",
    action: "Send DER in base64, with a low s.",
  },
  invalid_backup_account_id: {
    meaning: "The account id contains no secp256k1 public key.",
    action: "Derive the id from the compressed public key of the account.",
  },
  already_used: {
    meaning: "The challenge, the id_token or the sync factor token was used by a request that succeeded.",
    action:
      "After a lost response, treat it as a success and read the state. Otherwise begin with a new challenge.",
  },
  token_not_found: {
    meaning: "The sync factor token is unknown, or older than 15 minutes.",
    action: "Recover the backup again: the response has a new token.",
  },
  invalid_challenge: {
    meaning: "The Turnkey activity contains another challenge than the token.",
    action: "Put the challenge that came with the token into `metadata.challenge` of the activity.",
  },
  webauthn_error: {
    meaning: "The passkey did not verify: challenge, origin, relying party, signature or user verification.",
    action: `${NEW_CHALLENGE} If it repeats, the passkey is not one of this backup: offer another factor.`,
  },
  webauthn_invalid_payload: {
    meaning: "`credential` is no WebAuthn response as JSON.",
    action: "Send the response of the platform's passkey API unchanged, without the results of `prf`.",
  },
  webauthn_prf_results_not_allowed: {
    meaning: "The credential contains results of `prf`. They are a secret of the device; nothing was stored.",
    action: "Remove the results of `prf` and `hmacGetSecret` before sending.",
  },
  oidc_token_parse_error: { meaning: "The id_token is no JWT.", action: BUG },
  oidc_token_invalid_aud: {
    meaning: "The `aud` that was sent is no client id of this service.",
    action: "Use a client id that the operator of the service has configured.",
  },
  oidc_token_verification_error: {
    meaning:
      "The id_token is not signed by the provider, not for this app, expired, or older than five minutes.",
    action: SIGN_IN_AGAIN,
  },
  oidc_token_invalid_nonce: {
    meaning: "The nonce of the id_token is not made of the public key.",
    action: "Sign in with the nonce hex(SHA-256(hex(compressed public key))), where the inner hex is text.",
  },
  missing_email: {
    meaning: "The id_token has no e-mail address.",
    action: "Ask for the scope `email` at the sign-in.",
  },
  missing_turnkey_activity: {
    meaning: "The existing passkey signs a Turnkey activity, and none was sent.",
    action: "Send `existingFactorTurnkeyActivity`, or ask for a challenge for `PASSKEY_ASSERTION`.",
  },
  invalid_turnkey_activity: {
    meaning: "The Turnkey activity has no `metadata.challenge`.",
    action: "Put the challenge into `metadata.challenge` of the activity before it is stamped.",
  },
  turnkey_activity_error: {
    meaning:
      "The Turnkey activity is of another type, organisation or time, or it was not stamped by the passkey.",
    action: "Make and stamp a new activity with a new challenge.",
  },
  invalid_attestation_token_header: {
    meaning: "The header `attestation-token` is missing or not ASCII.",
    action: "Ask the attestation gateway for a token for this request and send it.",
  },
  invalid_attestation_token_claim: {
    meaning: "The attestation is for another request or audience, or it has expired.",
    action: NEW_ATTESTATION,
  },
  invalid_attestation_token: { meaning: "The attestation does not verify.", action: NEW_ATTESTATION },
  invalid_authorization_type: {
    meaning: "This operation takes the keypair of a sync factor only.",
    action: "Sign with the sync factor of this device. If there is none, recover the backup and add one.",
  },
  invalid_sync_factor_type: { meaning: "A sync factor is a keypair, nothing else.", action: BUG },
  backup_untraceable: {
    meaning: "The factor is on no backup.",
    action:
      "Offer another factor. If there is none, the user has no backup here: offer to bring back one that was deleted (`undelete`), or to create one.",
  },
  backup_missing: {
    meaning: "The backup of the factor is gone.",
    action: "Offer to bring it back (`undelete`), or to create a new one.",
  },
  unauthorized_factor: {
    meaning: "The factor was removed from the backup.",
    action: "Forget the factor on this device, and recover with one that is still on the backup.",
  },
  factor_already_exists: {
    meaning: "The factor is on a backup already.",
    action: "Recover that backup with it, or use another factor.",
  },
  factor_not_found: {
    meaning: "The backup has no factor of that id and scope.",
    action: "Read the metadata again: another device may have removed it.",
  },
  too_many_factors: {
    meaning: "The backup has as many factors of this scope as the service allows.",
    action: "Let the user remove one, or replace a sync factor with `syncFactorToReplace`.",
  },
  missing_turnkey_provider_id: {
    meaning: "A Google or Apple account is registered without `turnkeyProviderId`.",
    action: BUG,
  },
  oidc_token_mismatch: {
    meaning: "The new account's id_token is another one than the existing factor agreed to.",
    action: "Send the id_token that was sent for the challenges, or ask for new challenges.",
  },
  passkey_registration_mismatch: {
    meaning: "The new passkey was made with other options than the existing factor agreed to.",
    action: "Make the passkey with the options of these very challenges, or ask for new ones.",
  },
  existing_factor_material_binding_mismatch: {
    meaning:
      "What the existing factor signed does not name the factor and key to add, or names none and has to.",
    action: "Sign the challenge with the digest of exactly what is sent: see `addFactor`.",
  },
  invalid_new_factor_type: {
    meaning: "The new factor is a Google or Apple account, and the existing one agreed to another kind.",
    action: "Ask for challenges for the kind that is added.",
  },
  invalid_new_factor_authorization_type: {
    meaning: "The new factor is of another kind than the existing one agreed to.",
    action: "Ask for challenges for the kind that is added.",
  },
  missing_backup_account_proof: {
    meaning: "The signature of the account key, or its challenge token, was not sent.",
    action: "Sign `backupAccountChallenge` with the account key, and send both members.",
  },
  backup_account_id_already_exists: {
    meaning: "There is a backup of this account.",
    action: "Offer to recover it. If all its factors are lost, `reset` deletes it.",
  },
  backup_not_found: {
    meaning: "The backup was deleted, or created again, since it was recovered.",
    action: "Recover the backup again.",
  },
  backup_does_not_exist: {
    meaning: "There is no backup of that id; for `undelete`, nothing is kept of it that this factor was on.",
    action: "Offer to create a backup.",
  },
  backup_id_mismatch: {
    meaning: "The factor is on another backup than the one that was named.",
    action: "Ask without `backupId` which one it is, or forget the id on this device.",
  },
  version_not_found: {
    meaning: "The backup keeps no version of that id.",
    action: "Read the metadata again: versions are kept for a limited time.",
  },
  manifest_hash_mismatch: {
    meaning: "Another device has changed the content since this one read it. Nothing was written.",
    action:
      "Retrieve the current content, merge, and sync with its manifest hash. The challenge is still valid.",
  },
  encryption_public_key_mismatch: {
    meaning: "The backup is encrypted for another public key. Nothing was written.",
    action: "Stop syncing from this device, and recover the backup: its keys were replaced or never matched.",
  },
  conflicting_lock: {
    meaning: "Another request changed the backup at the same moment. Nothing was written.",
    action:
      "Read the metadata; where the change is still wanted, send the same request again, and with a new challenge to remove a main factor.",
  },
  encryption_key_not_allowed: {
    meaning: "An encryption key is removed with a main factor, never with a sync factor.",
    action: "Leave `encryptionKey` out.",
  },
  encryption_key_not_found: {
    meaning: "The backup has no encryption key that is exactly the one sent.",
    action: "Send the key unchanged, as the metadata has it.",
  },
  factor_orphaned_from_encryption_key: {
    meaning: "A main factor that remains needs the encryption key.",
    action: "Leave `encryptionKey` out, so that the key stays.",
  },
  only_one_encryption_key_per_type_allowed: {
    meaning: "The backup has another encryption key of this kind.",
    action: "Leave `encryptedBackupKey` out, and encrypt for the new factor with the key that is there.",
  },
  not_supported: {
    meaning: "The operator has switched this off.",
    action: "Offer another factor.",
  },
  too_many_requests: {
    meaning: "Too many requests from this address or for this backup.",
    action: "Wait as long as the header `retry-after` says (seconds), then send the same request again.",
  },
  service_unavailable: {
    meaning: "The service or one of its stores does not respond. The request may have taken effect.",
    action:
      "Wait as long as the header `retry-after` says, then retry with the same challenge. If that gets `already_used`, the first request succeeded.",
  },
  internal_server_error: {
    meaning: "An error in the service. The log has it under the `x-request-id` of the response.",
    action: "Show an error and report the request id. A retry with a new challenge may succeed.",
  },
};

/** Every code in a markdown table. */
export function errorTable(): string {
  const rows = ERROR_CODES.map((code) => {
    const { meaning, action } = ERROR_GUIDE[code];
    return `| \`${code}\` | ${statusOf(code)} | ${meaning} | ${action} |`;
  });
  return ["| code | status | what is wrong | what an app does |", "|---|---|---|---|", ...rows].join("\n");
}
