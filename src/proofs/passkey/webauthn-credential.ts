/**
 * What a device's WebAuthn API returned, as clients serialise it. The standard form is `RegistrationResponseJSON` and
 * `AuthenticationResponseJSON` (WebAuthn L3 §5.1); older clients write binary members in other ways, and those are
 * read too.
 */
import { decodeBase64Url, encodeBase64Url } from "../../crypto/encoding.ts";
import { ServiceError } from "../../errors.ts";
import { hasMembers } from "./has-members.ts";
import { refusePrfResults } from "./prf-results.ts";

export interface ParsedRegistration {
  /** base64url. */
  readonly credentialId: string;
  readonly clientDataJson: Uint8Array;
  readonly attestationObject: Uint8Array;
  readonly transports: readonly string[];
}

export interface ParsedAssertion {
  /** base64url. */
  readonly credentialId: string;
  readonly clientDataJson: Uint8Array;
  readonly authenticatorData: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Reads the response of a registration. Verifies nothing in it.
 *
 * @throws ServiceError `webauthn_prf_results_not_allowed` before anything else; `webauthn_invalid_payload`.
 */
export function parseRegistration(credential: unknown): ParsedRegistration {
  refusePrfResults(credential);
  return readRegistration(credential);
}

/**
 * As {@link parseRegistration}, for a caller that keeps nothing of the response.
 *
 * @throws ServiceError `webauthn_invalid_payload`.
 */
export function readRegistration(credential: unknown): ParsedRegistration {
  const { credentialId, response } = readCredential(credential);
  return {
    credentialId,
    clientDataJson: binary(response.clientDataJSON, "response.clientDataJSON"),
    attestationObject: binary(response.attestationObject, "response.attestationObject"),
    transports: transportsOf(response.transports),
  };
}

/**
 * Reads the response of an authentication. Verifies nothing in it.
 *
 * @throws ServiceError as {@link parseRegistration}.
 */
export function parseAssertion(credential: unknown): ParsedAssertion {
  refusePrfResults(credential);
  const { credentialId, response } = readCredential(credential);
  return {
    credentialId,
    clientDataJson: binary(response.clientDataJSON, "response.clientDataJSON"),
    authenticatorData: binary(response.authenticatorData, "response.authenticatorData"),
    signature: binary(response.signature, "response.signature"),
  };
}

function readCredential(credential: unknown) {
  const { id, rawId, type, response, clientExtensionResults } = members(credential, "the credential");
  if (type !== "public-key") throw invalid("type is not public-key");
  if (clientExtensionResults != null) members(clientExtensionResults, "clientExtensionResults");
  const credentialId = encodeBase64Url(binary(rawId, "rawId"));
  if (credentialId === "") throw invalid("rawId is empty");
  if (encodeBase64Url(binary(id, "id")) !== credentialId) throw invalid("id and rawId differ");
  return { credentialId, response: members(response, "response") };
}

/** A binary member: base64url or base64, padded or not, or an array of byte values. */
function binary(value: unknown, name: string): Uint8Array {
  const bytes = typeof value === "string" ? fromBase64(value) : fromByteValues(value);
  if (bytes === null) throw invalid(`${name} is not binary`);
  return bytes;
}

function fromBase64(text: string): Uint8Array | null {
  const unpadded = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  return decodeBase64Url(unpadded.replaceAll("+", "-").replaceAll("/", "_"));
}

function fromByteValues(value: unknown): Uint8Array | null {
  return Array.isArray(value) && value.every(isByte) ? Uint8Array.from(value) : null;
}

function isByte(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}

const MAX_TRANSPORTS = 8;
const TRANSPORT = /^[a-z-]{1,32}$/;

/**
 * Transports are hints for a later prompt, so unknown values are left out. The backup stores them, so there are only few,
 * as short as those of WebAuthn L3 §5.8.4.
 */
function transportsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  const known = value.filter((transport) => typeof transport === "string" && TRANSPORT.test(transport));
  return [...new Set<string>(known)].slice(0, MAX_TRANSPORTS);
}

function members(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (!hasMembers(value) || Array.isArray(value)) throw invalid(`${name} is not an object`);
  return value;
}

function invalid(reason: string): ServiceError {
  return new ServiceError("webauthn_invalid_payload", `Not a WebAuthn response: ${reason}`);
}
