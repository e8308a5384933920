/** All the ways in which the proof of a keypair is none. */
import {
  changed,
  der,
  derOf,
  integer,
  signatureValue,
  toUrlAlphabet,
  withStrayBit,
} from "./ecdsa-encodings.ts";
import { createFactorKeypair, type FactorKeypair } from "./factor-keypair.ts";

export interface KeypairProof {
  readonly publicKey: string;
  readonly signature: string;
}

/** A signer whose key and signatures contain a character of base64 that base64url encodes differently. */
export function createSpellableKeypair(): FactorKeypair {
  for (;;) {
    const keypair = createFactorKeypair();
    if (!/[+/]/.test(keypair.publicKey)) continue;
    return { ...keypair, sign: (challenge) => urlUnsafe(() => keypair.sign(challenge)) };
  }
}

/** With stray bits to set, too: 70 or 71 bytes leave some, 72 would not. */
function urlUnsafe(sign: () => string): string {
  for (;;) {
    const signature = sign();
    if (/[+/]/.test(signature) && signature.endsWith("=")) return signature;
  }
}

type Change = (proof: KeypairProof, challenge: string) => KeypairProof;

const key =
  (change: (publicKey: string) => string): Change =>
  (proof) => ({ ...proof, publicKey: change(proof.publicKey) });
const signature =
  (change: (signature: string) => string): Change =>
  (proof) => ({ ...proof, signature: change(proof.signature) });
const keyBytes = (change: (bytes: Buffer) => Uint8Array) => key((value) => changed(value, change));
const signatureBytes = (change: (bytes: Buffer) => Uint8Array) =>
  signature((value) => changed(value, change));
const values = (change: (value: { r: bigint; s: bigint }) => string) =>
  signature((value) => change(signatureValue(value)));

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const SECP256K1_BASE =
  "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

/** Every one of them is `signature_verification_error`. */
export const WRONG_KEYPAIR_PROOFS: readonly (readonly [name: string, change: Change])[] = [
  ["an empty key", key(() => "")],
  ["a key that is not base64", key(() => "!".repeat(88))],
  ["a key without its padding", key((value) => value.replace(/=+$/, ""))],
  ["a key with too much padding", key((value) => `${value}=`)],
  ["a key in the url alphabet", key(toUrlAlphabet)],
  ["a key with a line break behind it", key((value) => `${value}\n`)],
  ["a key with a space in it", key((value) => `${value.slice(0, 40)} ${value.slice(40)}`)],
  ["a key with a stray trailing bit", key(withStrayBit)],
  ["a key of 64 bytes", keyBytes((bytes) => bytes.subarray(0, 64))],
  ["a key of 66 bytes", keyBytes((bytes) => Buffer.concat([bytes, Buffer.of(0)]))],
  [
    "a compressed key",
    keyBytes((bytes) => Buffer.concat([Buffer.of(2 + ((bytes[64] ?? 0) & 1)), bytes.subarray(1, 33)])),
  ],
  [
    "a hybrid key",
    keyBytes((bytes) => Buffer.concat([Buffer.of(6 + ((bytes[64] ?? 0) & 1)), bytes.subarray(1)])),
  ],
  [
    "a key off the curve",
    keyBytes((bytes) => Buffer.concat([bytes.subarray(0, 64), Buffer.of((bytes[64] ?? 0) ^ 1)])),
  ],
  ["a key of zeros", keyBytes(() => Buffer.concat([Buffer.of(4), Buffer.alloc(64)]))],
  ["the point at infinity as key", keyBytes(() => Buffer.of(0))],
  ["a secp256k1 point as key", key(() => Buffer.from(SECP256K1_BASE, "hex").toString("base64"))],
  ["another key", key(() => createFactorKeypair().publicKey)],

  ["an empty signature", signature(() => "")],
  ["a signature that is not base64", signature(() => "!".repeat(96))],
  ["a signature without its padding", signature((value) => value.replace(/=+$/, ""))],
  ["a signature in the url alphabet", signature(toUrlAlphabet)],
  ["a signature with white space behind it", signature((value) => `${value} `)],
  [
    "a signature with a line break in it",
    signature((value) => `${value.slice(0, 64)}\r\n${value.slice(64)}`),
  ],
  ["a signature with a stray trailing bit", signature(withStrayBit)],
  ["a signature of another challenge", (proof) => ({ ...proof, signature: strangerSignature() })],
  [
    "a signature by another key",
    (proof, challenge) => ({ ...proof, signature: createFactorKeypair().sign(challenge) }),
  ],
  ["a signature with a byte behind it", signatureBytes((bytes) => Buffer.concat([bytes, Buffer.of(0)]))],
  ["a signature without its last byte", signatureBytes((bytes) => bytes.subarray(0, -1))],
  [
    "a signature of r and s without DER",
    values(({ r, s }) => Buffer.from(fixed(r) + fixed(s), "hex").toString("base64")),
  ],
  [
    "a signature with its length in the long form",
    signatureBytes((bytes) => Buffer.concat([Buffer.of(0x30, 0x81), bytes.subarray(1)])),
  ],
  [
    "a signature with a needless zero before r",
    values(({ r, s }) => derOf(Buffer.concat([Buffer.of(0), integer(r)]), integer(s))),
  ],
  [
    "a signature with a needless zero before s",
    values(({ r, s }) => derOf(integer(r), Buffer.concat([Buffer.of(0), integer(s)]))),
  ],
  [
    "a signature over 72 bytes",
    values(({ r, s }) => derOf(Buffer.concat([Buffer.alloc(8), integer(r)]), integer(s))),
  ],
  [
    "a signature of another type",
    signatureBytes((bytes) => Buffer.concat([Buffer.of(0x31), bytes.subarray(1)])),
  ],
  ["a signature with r and s swapped", values(({ r, s }) => der({ r: s, s: r }))],
  ["a signature with r of zero", values(({ s }) => der({ r: 0n, s }))],
  ["a signature with s of zero", values(({ r }) => der({ r, s: 0n }))],
  ["a signature with r and s of zero", signature(() => der({ r: 0n, s: 0n }))],
  ["a signature with s increased by the order", values(({ r, s }) => der({ r, s: s + P256_ORDER }))],
  [
    "a signature with a negative r",
    values(({ r, s }) => derOf(Buffer.from(fixed(r | (1n << 255n)), "hex"), integer(s))),
  ],
  ["a signature that is an empty sequence", signature(() => "MAA=")],
];

function strangerSignature(): string {
  return createFactorKeypair().sign(Buffer.alloc(32, 1).toString("base64"));
}

function fixed(value: bigint): string {
  return value.toString(16).padStart(64, "0");
}
