import type { EnvironmentReader } from "./environment.ts";

/** What the WebAuthn relying party calls itself and where its ceremonies may take place. */
export interface WebAuthnConfig {
  /** A domain name (WebAuthn L3 §4, "RP ID"). */
  readonly rpId: string;
  /** What the user is shown. */
  readonly rpName: string;
  /** Web origins and app origins (`android:apk-key-hash:…`), compared to the letter. Never empty. */
  readonly origins: readonly string[];
}

const DOMAIN_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** @param developmentOrigin the default, with its host as the relying party; `null` where there is none. */
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

/** An origin as clients write it, of a secure context: anything else would never be equal to one. */
function isWebAuthnOrigin(origin: string): boolean {
  if (/^android:apk-key-hash:[A-Za-z0-9_-]+$/.test(origin)) return true;
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && url.hostname === "localhost");
}
