/** A passkey in software, as far as the demo needs one: ES256, no attestation, a user who always agrees. */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { CreationOptions, Passkeys, RequestOptions } from "../client/index.ts";
import { encodeBase64Url, sha256 } from "../crypto/encoding.ts";
import { encodeCbor } from "../proofs/passkey/cbor.ts";

/** User present, user verified, backup eligible, backed up (WebAuthn L3 §6.1). */
const FLAGS = 0x01 | 0x04 | 0x08 | 0x10;
const ATTESTED_CREDENTIAL_DATA = 0x40;
const NO_COUNTER = Buffer.alloc(4);
const UNKNOWN_AAGUID = Buffer.alloc(16);

/** @param origin where the app says it runs; one of those the service is configured for. */
export function demoPasskeys(origin: string): Passkeys {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const credentialId = randomBytes(16);

  function clientData(type: string, challenge: string): Uint8Array {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  function response(members: Record<string, Uint8Array>): object {
    const id = encodeBase64Url(credentialId);
    const encoded = Object.entries(members).map(([name, bytes]) => [name, encodeBase64Url(bytes)] as const);
    return {
      id,
      rawId: id,
      type: "public-key",
      clientExtensionResults: {},
      response: Object.fromEntries(encoded),
    };
  }

  /** COSE_Key of an EC2 key (RFC 9053 §7.1.1). */
  function coseKey(): Uint8Array {
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    const coordinate = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));
    return encodeCbor(
      new Map<number, number | Uint8Array>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, coordinate(x)],
        [-3, coordinate(y)],
      ]),
    );
  }

  return {
    async create({ challenge, rp }: CreationOptions["publicKey"]) {
      const length = Buffer.from([0, credentialId.length]);
      const authData = Buffer.concat([
        sha256(rp.id),
        Buffer.from([FLAGS | ATTESTED_CREDENTIAL_DATA]),
        NO_COUNTER,
        UNKNOWN_AAGUID,
        length,
        credentialId,
        coseKey(),
      ]);
      const attestationObject = encodeCbor(
        new Map<string, string | Uint8Array | Map<string, never>>([
          ["fmt", "none"],
          ["attStmt", new Map<string, never>()],
          ["authData", new Uint8Array(authData)],
        ]),
      );
      return response({ clientDataJSON: clientData("webauthn.create", challenge), attestationObject });
    },

    async get({ challenge, rpId }: RequestOptions["publicKey"]) {
      const clientDataJSON = clientData("webauthn.get", challenge);
      const authenticatorData = Buffer.concat([sha256(rpId), Buffer.from([FLAGS]), NO_COUNTER]);
      const signature = sign(
        "sha256",
        Buffer.concat([authenticatorData, sha256(clientDataJSON)]),
        privateKey,
      );
      return response({ clientDataJSON, authenticatorData, signature });
    },
  };
}
