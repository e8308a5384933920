/** The digest of an addition as a client computes it, and the challenge that it is bound to with it. */
import { createHash } from "node:crypto";
import {
  cose,
  decodeAttestationObject,
  decodeCredentialPublicKey,
  parseAuthenticatorData,
} from "@simplewebauthn/server/helpers";
import type { Challenges } from "./additions.ts";
import type { RequestBody } from "./api-client.ts";
import { textOf } from "./factors.ts";

/** The challenges with the existing factor's followed by the digest of what `request` adds. */
export function boundTo(request: RequestBody, challenges: Challenges): Challenges {
  const { existingFactorChallenge: asked } = challenges;
  const bytes = Buffer.concat([Buffer.from(textOf(asked), "base64"), digestOf(request)]);
  const existingFactorChallenge =
    typeof asked === "string"
      ? bytes.toString("base64")
      : { ...asked, publicKey: { ...asked.publicKey, challenge: bytes.toString("base64url") } };
  return { ...challenges, existingFactorChallenge };
}

function digestOf({ newFactorAuthorization, turnkeyProviderId, encryptedBackupKey }: RequestBody): Buffer {
  const hash = createHash("sha256").update("backup-service:add-factor-binding:v1");
  hash.update(factorOf(newFactorAuthorization as RequestBody));
  hash.update(turnkeyProviderId == null ? "\0" : Buffer.concat([Buffer.of(1), lp(turnkeyProviderId)]));
  if (encryptedBackupKey == null) return hash.update("\0").digest();
  const { kind, encryptedKey, ...turnkey } = encryptedBackupKey as RequestBody;
  const members = [
    encryptedKey,
    turnkey.turnkeyAccountId,
    turnkey.turnkeyUserId,
    turnkey.turnkeyPrivateKeyId,
  ];
  const kindTag = ["PRF", "ICLOUD", "TURNKEY"].indexOf(String(kind)) + 1;
  hash.update(Buffer.of(1, kindTag));
  for (const member of members.slice(0, kind === "TURNKEY" ? 4 : 1)) hash.update(lp(member));
  return hash.digest();
}

function factorOf(authorization: RequestBody): Buffer {
  const { kind, publicKey, oidcToken, credential, label } = authorization;
  if (kind === "EC_KEYPAIR")
    return Buffer.concat([Buffer.of(3), lp(Buffer.from(String(publicKey), "base64"))]);
  if (kind === "OIDC_ACCOUNT") return Buffer.concat([Buffer.of(2), lp((oidcToken as RequestBody).token)]);
  const { rawId, response } = credential as { rawId: string; response: Record<string, string> };
  const binary = (text = "") => Buffer.from(text, "base64url");
  const authData = decodeAttestationObject(binary(response.attestationObject)).get("authData");
  const { credentialPublicKey = new Uint8Array() } = parseAuthenticatorData(authData);
  const key = decodeCredentialPublicKey(credentialPublicKey);
  if (!cose.isCOSEPublicKeyEC2(key)) throw new Error("only ES256 passkeys have a point");
  const [x = new Uint8Array(), y = new Uint8Array()] = [key.get(cose.COSEKEYS.x), key.get(cose.COSEKEYS.y)];
  return Buffer.concat([
    Buffer.of(1),
    lp(binary(rawId)),
    lp(Buffer.concat([Buffer.of(4), x, y])),
    lp(label ?? ""),
    lp(binary(response.clientDataJSON)),
    lp(binary(response.attestationObject)),
  ]);
}

function lp(value: unknown): Buffer {
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
