/** What an app on a device does around the requests of the demo. */
import { randomBytes } from "node:crypto";
import { encodeHex, sha256 } from "../crypto/encoding.ts";

/** Announces the next step of the demo. */
export type Announce = (step: string) => void;

/** Stands in for what an app does on the device: the service only ever sees bytes that look random. */
export function ciphertext(data: string) {
  const bytes = Buffer.concat([randomBytes(12), randomBytes(data.length), randomBytes(16)]);
  return { bytes, manifestHash: encodeHex(sha256(bytes)) };
}

/** An encryption key, encrypted by something that only the device has. */
export function encryptedKey(): string {
  return randomBytes(32).toString("base64");
}

/** @throws Error when the service did not do what it should. */
export function expectSame(actual: string, expected: string, what: string): void {
  if (actual !== expected) throw new Error(`${what} should be ${expected}, not ${actual}`);
}
