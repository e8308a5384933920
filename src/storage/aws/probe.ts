import type { Random } from "../../runtime/clock.ts";

/**
 * The name under which a test write is made; nothing else has such a name. One of 256, since S3 slows down on a name
 * with millions of versions.
 */
export function probeId(random: Random): string {
  return `writable/${Buffer.from(random.bytes(1)).toString("hex")}`;
}
