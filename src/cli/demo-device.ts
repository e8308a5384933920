/** What an app on a device does around the calls of the demo. */
import { randomBytes } from "node:crypto";
import { RefusedError } from "../client/index.ts";

/** Announces the next step of the demo. */
export type Announce = (step: string) => void;

/** Stands in for what an app does on the device: the service only ever sees bytes that look random. */
export function ciphertext(data: string): Uint8Array {
  return Buffer.concat([randomBytes(12), randomBytes(data.length), randomBytes(16)]);
}

/** The encryption key of a keypair, encrypted by something that only the device has. */
export function icloudKey() {
  return { kind: "ICLOUD", encryptedKey: encryptedKey() } as const;
}

/** An encryption key, encrypted by something that only the device has. */
export function encryptedKey(): string {
  return randomBytes(32).toString("base64");
}

/** @throws Error when the service did not do what it should. */
export function expectSame(actual: string | Uint8Array, expected: string | Uint8Array, what: string): void {
  const [one, other] = [text(actual), text(expected)];
  if (one !== other) throw new Error(`${what} should be ${other}, not ${one}`);
}

/** @throws Error when the service does not refuse a call, or by another code. */
export async function expectRefusal(call: Promise<unknown>, code: string, what: string): Promise<void> {
  expectSame(await refusalOf(call), code, what);
}

/** The code by which the service refuses a call; `none` when it does not. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "none";
  } catch (error) {
    if (error instanceof RefusedError) return error.code;
    throw error;
  }
}

function text(value: string | Uint8Array): string {
  return typeof value === "string" ? value : Buffer.from(value).toString("base64");
}
