import { encodeHex, sha256 } from "../crypto/encoding.ts";
import type { FactorRef, Nonce } from "../storage/contract.ts";

/** For how long the factor that deleted a backup may repeat the deletion, because the first answer may be lost. */
const REPEATABLE_MS = 15 * 60 * 1000;

/** What a deletion leaves in the store, so that a repetition by the same factor succeeds as the first one did. */
export function deletionMark(factor: FactorRef, nowMs: number): Nonce {
  return {
    id: `backup-deleted-by|${encodeHex(sha256(`${factor.scope}|${factor.key}`))}`,
    expiresAtMs: nowMs + REPEATABLE_MS,
  };
}
