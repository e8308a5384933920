import type { Random } from "../../runtime/clock.ts";

/**
 * The name of what is written to show that a store takes a write; nothing else has one like it. There are 256, since S3
 * slows down on a name with millions of versions.
 */
export function probeId(random: Random): string {
  return `writable/${Buffer.from(random.bytes(1)).toString("hex")}`;
}
