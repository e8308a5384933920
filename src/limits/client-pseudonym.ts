import { createHmac, hkdfSync } from "node:crypto";
import type { ChallengeTokenKey } from "../config/challenge-tokens.ts";
import type { Clock } from "../runtime/clock.ts";

/** The pseudonym of a client address in the log. */
export type ClientPseudonym = (address: string) => string;

const KEY_BYTES = 32;
const HEX_DIGITS = 12;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Pseudonyms are keyed hashes: an unkeyed hash could be reversed by trying all addresses. The key is derived (HKDF,
 * RFC 5869) from the first challenge token key, so a client has the same pseudonym in the logs of all processes. It changes
 * each day (UTC), so that the log does not track a client for longer.
 */
export function createClientPseudonym(keys: readonly ChallengeTokenKey[], clock: Clock): ClientPseudonym {
  const [first] = keys;
  if (first === undefined) throw new Error("at least one challenge token key is needed");
  const key = new Uint8Array(hkdfSync("sha256", first.secret, "", "client addresses in the log", KEY_BYTES));
  return (address) => {
    const day = Math.floor(clock.nowMs() / DAY_MS);
    return createHmac("sha256", key).update(`${day}|${address}`).digest("hex").slice(0, HEX_DIGITS);
  };
}
