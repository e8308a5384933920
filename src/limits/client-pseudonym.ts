import { createHmac, hkdfSync } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { ChallengeTokenKey } from "../config.ts";

/** Names a client address in the log without saying which it is. */
export type ClientPseudonym = (address: string) => string;

const KEY_BYTES = 32;
const HEX_DIGITS = 12;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A keyed hash, since the few addresses there are could all be tried. Its key comes from the first challenge token key
 * (RFC 5869), which all processes of a service share, so that one flood has one name in all their logs. Another day is
 * another name: the log follows nobody for longer.
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
