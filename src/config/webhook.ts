import { decodeBase64 } from "../crypto/encoding.ts";
import type { EnvironmentReader } from "./environment.ts";

/** Where events are posted. */
export interface WebhookConfig {
  readonly url: string;
  /** Each signs every event. Never empty. */
  readonly secrets: readonly Uint8Array[];
}

const SECRET_PREFIX = "whsec_";
/** Standard Webhooks, "Signature scheme": 192 to 512 bits. */
const SECRET_BYTES = { min: 24, max: 64 };

/** `null` if events are not posted. */
export function webhookConfig(read: EnvironmentReader, development: boolean): WebhookConfig | null {
  const isGiven = read.hasSecret("WEBHOOK_URL");
  const url = webhookUrl(read, development);
  const secrets = webhookSecrets(read);
  if (isGiven && !read.hasSecret("WEBHOOK_SECRETS"))
    read.problem(
      'WEBHOOK_SECRETS is required while WEBHOOK_URL is set: make one with echo "whsec_$(openssl rand -base64 32)"',
    );
  if (!isGiven && secrets.length > 0) read.problem("WEBHOOK_URL is required while WEBHOOK_SECRETS is set");
  return url === null ? null : { url, secrets };
}

/** The reported problems quote no URL: its path or query may be a secret. */
function webhookUrl(read: EnvironmentReader, development: boolean): string | null {
  const value = read.secret("WEBHOOK_URL");
  if (value === null) return null;
  const url = URL.parse(value);
  if (url === null || !["https:", "http:"].includes(url.protocol))
    read.problem("WEBHOOK_URL must be an https URL");
  else if (url.protocol === "http:" && !development)
    read.problem("WEBHOOK_URL must be an https URL outside development");
  else if (url.username !== "" || url.password !== "" || url.hash !== "")
    read.problem("WEBHOOK_URL must have neither a user name, nor a password, nor a fragment");
  else return value;
  return null;
}

/** Parses `whsec_<base64>`, comma-separated. The reported problems never quote a secret. */
function webhookSecrets(read: EnvironmentReader): Uint8Array[] {
  const secrets: Uint8Array[] = [];
  for (const [index, entry] of (read.secret("WEBHOOK_SECRETS")?.split(",") ?? []).entries()) {
    const text = entry.trim();
    const where = `WEBHOOK_SECRETS, entry ${index + 1}`;
    const secret = text.startsWith(SECRET_PREFIX) ? decodeBase64(text.slice(SECRET_PREFIX.length)) : null;
    if (secret === null || secret.length < SECRET_BYTES.min || secret.length > SECRET_BYTES.max)
      read.problem(
        `${where}: must be ${SECRET_PREFIX} and ${SECRET_BYTES.min} to ${SECRET_BYTES.max} bytes in base64`,
      );
    else if (secrets.some((other) => Buffer.compare(other, secret) === 0))
      read.problem(`${where}: the same secret is given twice`);
    else secrets.push(secret);
  }
  return secrets;
}
