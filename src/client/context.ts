import type { Sha256 } from "./hash.ts";
import type { BackupClientOptions } from "./options.ts";
import { type Connection, createConnection } from "./transport/connection.ts";
import { type Retries, systemPause } from "./transport/retries.ts";
import { webCryptoSha256 } from "./web-crypto.ts";

/** What every operation of a client needs. */
export interface Context {
  readonly connection: Connection;
  readonly retries: Retries;
  readonly sha256: Sha256;
}

const ATTEMPTS = 3;
const MAX_PAUSE_MS = 30_000;

/** Fetch standard §2.2.2: bytes, without those that separate headers. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** @throws TypeError when no request could carry a header: `fetch` would report each as a lost one. */
export function createContext(options: BackupClientOptions): Context {
  const { url, app, headers = {}, attest = null, retries, transport = null } = options;
  const { sha256 = webCryptoSha256 } = options;
  const named = app === undefined ? {} : { "client-name": app.name, "client-version": app.version };
  const sent: Readonly<Record<string, string>> = { ...named, ...headers };
  for (const [name, value] of Object.entries(sent))
    if (!HEADER_VALUE.test(value))
      throw new TypeError(`the header ${name} has characters that HTTP does not carry`);
  return {
    sha256,
    retries: { attempts: ATTEMPTS, maxPauseMs: MAX_PAUSE_MS, pause: systemPause, ...retries },
    connection: createConnection({
      url,
      headers: sent,
      attest,
      sha256,
      transport,
    }),
  };
}
