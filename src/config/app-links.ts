/** Which apps and sites belong to the relying party, as phones and browsers ask it under `/.well-known/`. */
import type { EnvironmentReader } from "./environment.ts";
import type { WebAuthnConfig } from "./webauthn.ts";

export interface AppLinksConfig {
  /** Android apps with the certificates that they are signed with. */
  readonly android: readonly AndroidApp[];
  /** `<team id>.<bundle id>` of apps of Apple's platforms. */
  readonly apple: readonly string[];
  /** Origins of web pages outside the relying party's domain that may use its passkeys (WebAuthn L3 §5.11). */
  readonly relatedOrigins: readonly string[];
}

export interface AndroidApp {
  readonly packageName: string;
  /** SHA-256 of certificates: upper-case hex, a colon between bytes. Never empty. */
  readonly fingerprints: readonly string[];
}

const ANDROID_APP = /^([a-zA-Z]\w*(?:\.[a-zA-Z]\w*)+)=((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$/;
const APPLE_APP = /^[A-Z0-9]{10}\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/;
/** WebAuthn L3 §5.11.1: browsers take this many labels, and may ignore further origins. */
const MAX_LABELS = 5;

export function appLinksConfig(
  read: EnvironmentReader,
  { rpId, origins }: Pick<WebAuthnConfig, "rpId" | "origins">,
): AppLinksConfig {
  const relatedOrigins = origins.filter((origin) => isOutside(origin, rpId));
  const labels = new Set(relatedOrigins.map(labelOf));
  if (labels.size > MAX_LABELS)
    read.problem(
      `WEBAUTHN_ORIGINS has origins of ${labels.size} names outside ${rpId} (${[...labels].join(", ")}): browsers take ${MAX_LABELS}`,
    );
  return { android: androidApps(read), apple: appleApps(read), relatedOrigins };
}

function androidApps(read: EnvironmentReader): readonly AndroidApp[] {
  const apps = new Map<string, string[]>();
  for (const entry of read.list("ANDROID_APPS") ?? []) {
    const [, packageName, fingerprint] = ANDROID_APP.exec(entry) ?? [];
    if (packageName === undefined || fingerprint === undefined)
      read.problem(
        `ANDROID_APPS: "${entry.slice(0, 120)}" is not package=fingerprint, such as com.example.app=AB:CD:…, with the 32 bytes of the certificate's SHA-256`,
      );
    else apps.set(packageName, [...(apps.get(packageName) ?? []), fingerprint]);
  }
  return [...apps].map(([packageName, fingerprints]) => ({ packageName, fingerprints }));
}

function appleApps(read: EnvironmentReader): readonly string[] {
  const apps = read.list("APPLE_APPS") ?? [];
  for (const app of apps)
    if (!APPLE_APP.test(app))
      read.problem(`APPLE_APPS: "${app.slice(0, 120)}" is not <team id of 10 characters>.<bundle id>`);
  return apps;
}

/** Pages of the relying party's domain and below need no permission. */
function isOutside(origin: string, rpId: string): boolean {
  const url = URL.parse(origin);
  if (url?.protocol !== "https:") return false;
  return url.hostname !== rpId && !url.hostname.endsWith(`.${rpId}`);
}

/** The first label of public suffixes with two: `co.uk`, `com.au`. Browsers have a list of all. */
const FIRST_OF_SUFFIX = /^(?:co|com|org|net|ac|edu|gov|gob|go|gv|ne|or|mil|nom|sch)$/;

/** The label that browsers count: the last before the public suffix, so that `example.com` and `example.co.uk` are one. */
function labelOf(origin: string): string {
  const [top = "", second = "", third] = new URL(origin).hostname.split(".").toReversed();
  const hasSuffixOfTwo = third !== undefined && top.length === 2 && FIRST_OF_SUFFIX.test(second);
  return hasSuffixOfTwo ? third : second || top;
}
