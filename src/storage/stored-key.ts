import { createHash } from "node:crypto";

const HASHED = "SHA-256|";

/**
 * The form in which a driver stores a key, which may be any text: the text itself; or a hash of it where it is longer
 * than `maxBytes` in UTF-8, is not well-formed Unicode, or has the form of such a hash. Different keys have different forms.
 */
export function storedKey(key: string, maxBytes = Number.POSITIVE_INFINITY): string {
  if (key.isWellFormed() && !key.startsWith(HASHED) && Buffer.byteLength(key) <= maxBytes) return key;
  // UTF-16, since all unpaired surrogates are the same in UTF-8
  return HASHED + createHash("sha256").update(key, "utf16le").digest("hex");
}
