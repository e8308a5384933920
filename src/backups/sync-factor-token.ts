import { encodeHex, sha256 } from "../crypto/encoding.ts";

/** What a recovery hands out so that the new device can put its own sync factor on the backup. */
export const SYNC_FACTOR_TOKEN_BYTES = 32;
export const SYNC_FACTOR_TOKEN_LIFETIME_MS = 15 * 60 * 1000;

/** Sync factor tokens are stored by their hash, so that a copy of the records opens nothing. */
export function syncFactorTokenId(token: string): string {
  return `sync-factor-token|${encodeHex(sha256(token))}`;
}
