import type { Sha256 } from "./hash.ts";
import type { AttestableRequest } from "./transport/connection.ts";
import type { Transport } from "./transport/http.ts";
import type { Retries } from "./transport/retries.ts";

export interface BackupClientOptions {
  /** Base URL of the service, such as `https://backup.example.com`. */
  readonly url: string;
  /** Named in the security log: `client-name` and `client-version`. Latin letters, digits and signs. */
  readonly app?: { readonly name: string; readonly version: string };
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Resolves to an app attestation, where the service requires one. Called before each request that needs it. */
  readonly attest?: (request: AttestableRequest) => Promise<string>;
  readonly retries?: Partial<Retries>;
  /** By default WebCrypto's, which React Native has not. */
  readonly sha256?: Sha256;
  /** By default `fetch`, or `XMLHttpRequest` for the progress of uploads. */
  readonly transport?: Transport;
}
