/** Standard base64 with padding (RFC 4648 §4), and base64url without (§5). */

import { BackupClientError } from "./errors.ts";

/** As many as fit on the stack as arguments. */
const CHUNK_BYTES = 8_192;

export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES)
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  return btoa(binary);
}

/** @throws BackupClientError when `text` is not base64. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = binaryOf(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

function binaryOf(text: string): string {
  try {
    return atob(text);
  } catch (cause) {
    throw new BackupClientError("a text is not base64", { cause });
  }
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Takes standard base64 too. @throws BackupClientError when `text` is neither. */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return decodeBase64(text.replaceAll("-", "+").replaceAll("_", "/").replaceAll("=", ""));
}
