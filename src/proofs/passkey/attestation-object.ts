/**
 * The attestation object of a registration (WebAuthn L3 §6.5.4). We ask for no attestation and trust no maker's root, so
 * statements with certificates prove nothing and are not verified; self attestation is.
 */
import type { CBORType } from "@levischuck/tiny-cbor";
import { readCbor } from "./cbor.ts";
import { COSE_ALGORITHMS, type CosePublicKey, verifyCoseSignature } from "./cose-key.ts";

export interface AttestationObject {
  readonly authenticatorData: Uint8Array;
  readonly format: string;
  readonly statement: ReadonlyMap<string | number, CBORType>;
}

/** @throws Error when it is not an attestation object. */
export function readAttestationObject(bytes: Uint8Array): AttestationObject {
  const { value } = readCbor(bytes);
  if (!(value instanceof Map)) throw new Error("an attestation object is a map");
  const [format, statement, authenticatorData] = ["fmt", "attStmt", "authData"].map((name) =>
    value.get(name),
  );
  if (typeof format !== "string" || !(statement instanceof Map) || !(authenticatorData instanceof Uint8Array))
    throw new Error("an attestation object has fmt, attStmt and authData");
  return { format, statement, authenticatorData };
}

/**
 * Checks a statement that comes without certificates: `none` has no members (§8.7), self attestation in `packed` is
 * signed by the passkey and names its algorithm (§8.2).
 *
 * @param message what the passkey signed.
 * @throws Error when the statement is wrong.
 */
export function requireAttestation(
  { format, statement }: AttestationObject,
  publicKey: CosePublicKey,
  message: Uint8Array,
): void {
  if (format === "none" && statement.size > 0) throw new Error("the statement of no attestation has members");
  if (format !== "packed" || statement.get("x5c") !== undefined) return;
  if (statement.get("alg") !== COSE_ALGORITHMS[publicKey.algorithm])
    throw new Error("the self attestation names another algorithm than the key's");
  const signature = statement.get("sig");
  if (!(signature instanceof Uint8Array) || !verifyCoseSignature(publicKey, message, signature))
    throw new Error("the self attestation does not verify");
}
