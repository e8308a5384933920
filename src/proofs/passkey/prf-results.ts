/**
 * The outputs of the PRF extension are the user's secret (WebAuthn L3 §10.1.4), and so are those of `hmac-secret`, on
 * which it is built (CTAP 2.2 §12.7). Such outputs must never reach a server.
 */
import { ServiceError } from "../../errors.ts";
import { hasMembers } from "./has-members.ts";

/**
 * Refuses a WebAuthn response with such a secret in the extension results, which clients put into the credential or into
 * `response`. A member without a value, as `null` or `{ first: null }`, is allowed: some client libraries write every
 * member.
 *
 * @throws ServiceError `webauthn_prf_results_not_allowed`.
 */
export function refusePrfResults(credential: unknown): void {
  if (!hasMembers(credential)) return;
  for (const part of [credential, credential.response])
    if (hasMembers(part) && hasSecret(part.clientExtensionResults))
      throw new ServiceError(
        "webauthn_prf_results_not_allowed",
        "PRF results must never leave the device; remove them from clientExtensionResults",
      );
}

/** A WebAuthn response that was stored elsewhere, without the extension results that {@link refusePrfResults} refuses. */
export function withoutPrfResults(credential: unknown): unknown {
  if (!hasMembers(credential) || Array.isArray(credential)) return credential;
  const cleaned = withoutSecrets(credential);
  return hasMembers(credential.response) && !Array.isArray(credential.response)
    ? { ...cleaned, response: withoutSecrets(credential.response) }
    : cleaned;
}

function withoutSecrets(holder: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const results = holder.clientExtensionResults;
  if (!hasMembers(results) || !hasSecret(results)) return holder;
  const kept = Object.entries(results).map(([name, value]) => [name, withoutSecret(name, value)]);
  return {
    ...holder,
    clientExtensionResults: Object.fromEntries(kept.filter(([, value]) => value !== undefined)),
  };
}

/** The value unless it is a secret; of a secret in the standard's form only `enabled`, of another nothing. */
function withoutSecret(name: string, value: unknown): unknown {
  if (!isSecret(name, value)) return value;
  if (!hasMembers(value) || Array.isArray(value) || typeof value.enabled !== "boolean") return undefined;
  return { enabled: value.enabled };
}

function hasSecret(results: unknown): boolean {
  return hasMembers(results) && Object.entries(results).some(([name, value]) => isSecret(name, value));
}

function isSecret(name: string, value: unknown): boolean {
  if (/^prf$/i.test(name)) return isPrfSecret(value);
  if (name === "hmacGetSecret") return hasValue(value);
  // `hmacCreateSecret: true` and the like only say that the extension is supported
  return /^hmac-?(create-?|get-?)?secret/i.test(name) && typeof value !== "boolean" && hasValue(value);
}

/** In the standard's form, or as native APIs return it: the secrets themselves, or an object of them without `results`. */
function isPrfSecret(value: unknown): boolean {
  if (!hasMembers(value)) return typeof value === "string";
  return Array.isArray(value)
    ? hasValue(value)
    : [value.results, value.first, value.second].some((member) => hasValue(member));
}

/** Whether anything is in the place of a secret but `null`, or an object whose members are all `null`. */
function hasValue(value: unknown): boolean {
  return hasMembers(value) ? Object.values(value).some((member) => member !== null) : value != null;
}
