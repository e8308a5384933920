import { createHash } from "node:crypto";

/** Standard base64 with padding (RFC 4648 §4). */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * Decodes standard base64 with padding, in canonical form only: no white space, no URL-safe alphabet, no missing padding,
 * no non-zero trailing bits (RFC 4648 §3.5). `null` for anything else, so that two texts never give the same bytes.
 *
 * `Buffer.from` ignores invalid characters, so the result is encoded again and compared.
 */
export function decodeBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}

/** base64url without padding (RFC 4648 §5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Decodes base64url without padding, in canonical form only. `null` for anything else. */
export function decodeBase64Url(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}

/** Lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Decodes hex digits of either case; `null` for other characters or an odd number of digits.
 *
 * `Buffer.from` stops at an invalid character, but reads only the low byte of one beyond U+00FF.
 */
export function decodeHex(text: string): Uint8Array | null {
  return /^(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text, "hex") : null;
}

/** SHA-256 (FIPS 180-4): 32 bytes. */
export function sha256(data: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(data).digest();
}
