import { BackupClientError } from "./errors.ts";

/** SHA-256 of bytes. */
export type Sha256 = (bytes: Uint8Array) => Promise<Uint8Array>;

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

export function encodeHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function concatenated(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
