import type { Random } from "./clock.ts";

const MAX_SEQUENCE = 2 ** 12;

/**
 * A version 7 UUID (RFC 9562 §5.7): its text orders by time, then by `sequence`, which distinguishes ids of one
 * millisecond that belong together.
 *
 * @param sequence below 4096.
 * @throws RangeError
 */
export function timeOrderedId(atMs: number, sequence: number, random: Random): string {
  if (!Number.isInteger(atMs) || atMs < 0 || atMs >= 2 ** 48) throw new RangeError("no time of 48 bits");
  if (!Number.isInteger(sequence) || sequence < 0 || sequence >= MAX_SEQUENCE)
    throw new RangeError("no sequence of 12 bits");
  const time = atMs.toString(16).padStart(12, "0");
  const order = sequence.toString(16).padStart(3, "0");
  const [, , , variant, node] = random.uuid().split("-"); // version 4 has the same variant, and is random here
  return `${time.slice(0, 8)}-${time.slice(8)}-7${order}-${variant}-${node}`;
}
