/**
 * Encryption of the text by AES-GCM with a data key, and of the data key with what a main factor has. The service sees
 * neither key. Each ciphertext starts with its nonce of 12 bytes.
 */
import { decodeBase64, encodeBase64 } from "../client/base64.ts";

const CIPHER = "AES-GCM";
const NONCE_BYTES = 12;
const USES: KeyUsage[] = ["encrypt", "decrypt"];

/** A key that encrypts the text. It can be exported, because a main factor that is added later has to encrypt it. */
export function newDataKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: CIPHER, length: 256 }, true, USES);
}

/** A key that encrypts the data key, and that no script can read. IndexedDB keeps it. */
export function newWrappingKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: CIPHER, length: 256 }, false, USES);
}

/** The key that encrypts the data key, made of the secret of a passkey. */
export async function wrappingKeyOf(prf: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey("raw", prf, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode("backup-service:playground:wrapping-key:v1");
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info };
  return crypto.subtle.deriveKey(derivation, secret, { name: CIPHER, length: 256 }, false, USES);
}

export function encryptText(dataKey: CryptoKey, text: string): Promise<Uint8Array<ArrayBuffer>> {
  return encrypt(dataKey, new TextEncoder().encode(text));
}

/** @throws DOMException when the content is encrypted with another key. */
export async function decryptText(dataKey: CryptoKey, content: Uint8Array<ArrayBuffer>): Promise<string> {
  return new TextDecoder().decode(await decrypt(dataKey, content));
}

/** The data key as the metadata keeps it. */
export async function encryptKey(wrappingKey: CryptoKey, dataKey: CryptoKey): Promise<string> {
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", dataKey));
  return encodeBase64(await encrypt(wrappingKey, raw));
}

/** @throws DOMException when the data key is encrypted with another key. */
export async function decryptKey(wrappingKey: CryptoKey, encryptedKey: string): Promise<CryptoKey> {
  const raw = await decrypt(wrappingKey, decodeBase64(encryptedKey));
  return crypto.subtle.importKey("raw", raw, CIPHER, true, USES);
}

async function encrypt(key: CryptoKey, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const encrypted = new Uint8Array(await crypto.subtle.encrypt({ name: CIPHER, iv: nonce }, key, bytes));
  const content = new Uint8Array(NONCE_BYTES + encrypted.length);
  content.set(nonce);
  content.set(encrypted, NONCE_BYTES);
  return content;
}

async function decrypt(key: CryptoKey, content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const cipher = { name: CIPHER, iv: content.subarray(0, NONCE_BYTES) };
  return new Uint8Array(await crypto.subtle.decrypt(cipher, key, content.subarray(NONCE_BYTES)));
}
