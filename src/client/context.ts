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

export function createContext(options: BackupClientOptions): Context {
  const { url, app, headers = {}, attest = null, retries, transport = null } = options;
  const { sha256 = webCryptoSha256 } = options;
  const named = app === undefined ? {} : { "client-name": app.name, "client-version": app.version };
  return {
    sha256,
    retries: { attempts: ATTEMPTS, maxPauseMs: MAX_PAUSE_MS, pause: systemPause, ...retries },
    connection: createConnection({
      url,
      headers: { ...named, ...headers },
      attest,
      sha256,
      transport,
    }),
  };
}
