import { createHmac, hkdfSync } from "node:crypto";
import type { ChallengeTokenKey } from "../config/challenge-tokens.ts";
import type { Clock } from "../runtime/clock.ts";

/** Names a client address in the log without saying which it is. */
export type ClientPseudonym = (address: string) => string;

const KEY_BYTES = 32;
const HEX_DIGITS = 12;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A keyed hash, because there are few enough addresses to try them all. The key is derived (HKDF, RFC 5869) from the
 * first challenge token key, which all processes share, so a client has the same name in all their logs. The name
 * changes each day (UTC), so that the log follows no client for longer.
 *
 * @param keys those of challenge tokens; at least one.
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
