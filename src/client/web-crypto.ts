import { BackupClientError } from "./errors.ts";
import type { Sha256 } from "./hash.ts";

/** WebCrypto's. */
export const webCryptoSha256: Sha256 = async (bytes) =>
  new Uint8Array(await webCrypto("`sha256`").digest("SHA-256", new Uint8Array(bytes)));

/** @throws BackupClientError where there is none. @param instead what the app passes then. */
export function webCrypto(instead: string): SubtleCrypto {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined)
    throw new BackupClientError(`there is no WebCrypto: use a secure origin, or pass ${instead}`);
  return subtle;
}
