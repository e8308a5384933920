import { createHash } from "node:crypto";

const FOLDED = "SHA-256|";

/**
 * The spelling under which a driver stores a key that may be any text: the text itself, or a hash of it where the
 * store could not hold it or would take it for another one, because it is longer than `maxBytes` in UTF-8 or is not
 * well-formed Unicode. Different keys never have the same spelling.
 */
export function storedKey(key: string, maxBytes = Number.POSITIVE_INFINITY): string {
  if (key.isWellFormed() && !key.startsWith(FOLDED) && Buffer.byteLength(key) <= maxBytes) return key;
  // UTF-16, because UTF-8 spells every unpaired surrogate alike
  return FOLDED + createHash("sha256").update(key, "utf16le").digest("hex");
}
