import type { EnvironmentReader } from "./environment.ts";

/** The WebAuthn relying party and the origins of its ceremonies. */
export interface WebAuthnConfig {
  /** A domain name (WebAuthn L3 §4, "RP ID"). */
  readonly rpId: string;
  /** The name that the user sees. */
  readonly rpName: string;
  /** Web origins and app origins (`android:apk-key-hash:…`), compared exactly. Never empty. */
  readonly origins: readonly string[];
}

const DOMAIN_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** @param developmentOrigin the default origin in development; `null` elsewhere, where both variables are required. */
export function webauthnConfig(read: EnvironmentReader, developmentOrigin: string | null): WebAuthnConfig {
  const rpId =
    developmentOrigin === null
      ? read.required("WEBAUTHN_RP_ID", "outside development: a domain name, such as example.com")
      : read.text("WEBAUTHN_RP_ID", "localhost");
  if (rpId !== "" && !DOMAIN_NAME.test(rpId))
    read.problem(`WEBAUTHN_RP_ID must be a domain name in lower case, not "${rpId}"`);
  const origins = read.list("WEBAUTHN_ORIGINS") ?? (developmentOrigin === null ? null : [developmentOrigin]);
  if (origins === null)
    read.problem(
      "WEBAUTHN_ORIGINS is required outside development: comma-separated, such as https://example.com",
    );
  for (const origin of origins ?? [])
    if (!isWebAuthnOrigin(origin))
      read.problem(
        `WEBAUTHN_ORIGINS: "${origin}" is neither https://host[:port] nor android:apk-key-hash:<base64url>`,
      );
  return { rpId, rpName: read.text("WEBAUTHN_RP_NAME", "Backup Service"), origins: origins ?? [] };
}

/** Whether a text is an origin of a secure context in canonical form. A client's origin can equal no other text. */
function isWebAuthnOrigin(origin: string): boolean {
  if (/^android:apk-key-hash:[A-Za-z0-9_-]+$/.test(origin)) return true;
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && url.hostname === "localhost");
}
