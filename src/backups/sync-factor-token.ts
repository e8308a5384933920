import { encodeHex, sha256 } from "../crypto/encoding.ts";

/** Sync factor tokens are stored by their hash, so that nobody can use those of a copy of the records. */
export function syncFactorTokenId(token: string): string {
  return `sync-factor-token|${encodeHex(sha256(token))}`;
}
