/** WebAuthn: public keys, authenticator data, client data, and whole ceremonies around them. */
import { createPublicKey } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { encodeBase64Url, sha256 } from "../../../src/crypto/encoding.ts";
import { readAuthenticatorData } from "../../../src/proofs/passkey/authenticator-data.ts";
import { CeremonyFailure, requireCeremony } from "../../../src/proofs/passkey/ceremony.ts";
import { importCosePublicKey } from "../../../src/proofs/passkey/cose-key.ts";
import { createPasskeyVerifier } from "../../../src/proofs/passkey/passkey.ts";
import { parseAssertion } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { newKeys, SoftwareAuthenticator } from "../../support/software-authenticator.ts";
import { CBOR_DICTIONARY, randomCbor } from "./cbor.ts";
import { type CborItem, referenceCbor } from "./cbor-reference.ts";
import {
  ACCEPTED,
  Broken,
  bytesOf,
  type Dice,
  kindOf,
  outcomeOf,
  requireThat,
  type Target,
  textOf,
} from "./target.ts";

const RP = { rpId: "backup.example", origins: ["https://backup.example"], rpName: "Backup" };
const CHALLENGE = sha256("the challenge");
const CREATION = { publicKey: { challenge: encodeBase64Url(CHALLENGE) } };

const ES256 = new SoftwareAuthenticator({ counter: 1 });
const RS256 = new SoftwareAuthenticator({ algorithm: "RS256", keys: newKeys("RS256") });

const REGISTRATIONS = [
  ES256.register(CREATION),
  ES256.register(CREATION, { attestation: "self" }),
  ES256.register(CREATION, { attestation: "tpm" }),
  ES256.register(CREATION, { extensions: Buffer.of(0xa0) }),
  RS256.register(CREATION),
  RS256.register(CREATION, { attestation: "self" }),
];

function decoded(value: unknown): Uint8Array {
  return Buffer.from(String(value), "base64url");
}

const ATTESTATIONS = REGISTRATIONS.map(({ response }) => decoded(response.attestationObject));
const REGISTRATION_DATA = ATTESTATIONS.map((bytes) => {
  const { value } = referenceCbor(bytes) ?? {};
  return value instanceof Map ? bytesIn(value, "authData") : new Uint8Array();
});
const COSE_KEYS = REGISTRATION_DATA.map((data) => readAuthenticatorData(data).attested?.publicKey).filter(
  (key) => key !== undefined,
);

function bytesIn(map: ReadonlyMap<string | number, CborItem>, key: string | number): Uint8Array {
  const value = map.get(key);
  return value instanceof Uint8Array ? value : new Uint8Array();
}

/** Accepted keys are what node:crypto makes of the same numbers, and only what RFC 9053 and RFC 8230 allow is accepted. */
export function coseKeyTarget(read = importCosePublicKey): Target {
  return {
    name: "COSE keys",
    corpus: COSE_KEYS,
    dictionary: [
      ...CBOR_DICTIONARY,
      Buffer.of(0x03, 0x26),
      Buffer.of(0x03, 0x39, 0x01, 0x00),
      ...edgeNumbers(),
    ],
    run(input) {
      const expected = referenceKey(input);
      let found: ReturnType<typeof read>;
      try {
        found = read(input);
      } catch (error) {
        requireThat(error instanceof Error && error.constructor === Error, `threw ${error}`);
        requireThat(expected === null, `refused a good key: ${error}`);
        return error instanceof Error ? kindOf(error.message) : "";
      }
      if (expected === null) throw new Broken("took what the reference refuses");
      const spki = { type: "spki", format: "der" } as const;
      const jwk = createPublicKey({ key: expected, format: "jwk" });
      requireThat(jwk.export(spki).equals(found.key.export(spki)), "made another key than node:crypto");
      const again = read(found.canonical);
      requireThat(Buffer.compare(again.canonical, found.canonical) === 0, "its canonical form is not stable");
      return ACCEPTED;
    },
  };
}

function edgeNumbers(): Uint8Array[] {
  const { CURVE } = p256.Point;
  return [CURVE().p, CURVE().n, CURVE().Gx, CURVE().Gy].map((number) =>
    Buffer.from(number.toString(16).padStart(64, "0"), "hex"),
  );
}

/** The key as a JWK; `null` for what must be refused. */
function referenceKey(input: Uint8Array) {
  const item = referenceCbor(input);
  if (item === null || !(item.value instanceof Map)) return null;
  const members = item.value;
  if (members.get(3) === -7) {
    const [x, y] = [bytesIn(members, -2), bytesIn(members, -3)];
    const isP256 = members.get(1) === 2 && members.get(-1) === 1 && x.length === 32 && y.length === 32;
    if (!isP256 || !isOnCurve(x, y)) return null;
    return { kty: "EC", crv: "P-256", x: encodeBase64Url(x), y: encodeBase64Url(y) };
  }
  if (members.get(3) !== -257 || members.get(1) !== 3) return null;
  const [n, e] = [numberIn(members, -1), numberIn(members, -2)];
  const bits = n.toString(2).length;
  if (bits < 2048 || bits > 4096 || e < 3n || e >= 2n ** 32n || n % 2n === 0n || e % 2n === 0n) return null;
  return { kty: "RSA", n: base64OfNumber(n), e: base64OfNumber(e) };
}

/** y² = x³ - 3x + b, with both below p. */
function isOnCurve(xBytes: Uint8Array, yBytes: Uint8Array): boolean {
  const { p, a, b } = p256.Point.CURVE();
  const [x, y] = [numberOf(xBytes), numberOf(yBytes)];
  return x < p && y < p && (y * y - (x * x * x + a * x + b)) % p === 0n;
}

function numberIn(members: ReadonlyMap<string | number, CborItem>, key: number): bigint {
  return numberOf(bytesIn(members, key));
}

export function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).toString("hex")}`);
}

function base64OfNumber(number: bigint): string {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
}

export function authenticatorDataTarget(read = readAuthenticatorData): Target {
  const assertion = decoded(ES256.assert(CREATION).response.authenticatorData);
  return {
    name: "authenticator data",
    corpus: [...REGISTRATION_DATA, assertion],
    dictionary: [...CBOR_DICTIONARY, Buffer.alloc(37, 0xc5), Buffer.of(0xff, 0xff)],
    generate: randomAuthenticatorData,
    run(input) {
      const expected = referenceData(input);
      let found: ReturnType<typeof read>;
      try {
        found = read(input);
      } catch (error) {
        requireThat(error instanceof Error && error.constructor === Error, `threw ${error}`);
        requireThat(expected === null, `refused what the reference reads: ${error}`);
        return error instanceof Error ? kindOf(error.message) : "";
      }
      if (expected === null) throw new Broken("read what the reference refuses");
      const { rpIdHash, userPresent, userVerified, backupEligible, backedUp, counter, attested } = found;
      const flags =
        Number(userPresent) |
        (Number(userVerified) << 2) |
        (Number(backupEligible) << 3) |
        (Number(backedUp) << 4);
      const parts = [
        Buffer.from(rpIdHash),
        Buffer.of(flags),
        Buffer.from(counter.toString(16).padStart(8, "0"), "hex"),
      ];
      if (attested !== null)
        parts.push(
          Buffer.from(attested.aaguid.replaceAll("-", ""), "hex"),
          Buffer.of(attested.credentialId.length >> 8, attested.credentialId.length & 0xff),
          Buffer.from(attested.credentialId),
          Buffer.from(attested.publicKey),
        );
      requireThat(Buffer.concat(parts).equals(expected), "read other members than the reference");
      return ACCEPTED;
    },
  };
}

function randomAuthenticatorData(dice: Dice): Uint8Array {
  const flags = dice.below(256);
  const id = Buffer.alloc(dice.below(64), 7);
  const attested = [
    Buffer.alloc(16, 1),
    Buffer.of(0, dice.oneIn(8) ? dice.below(256) : id.length),
    id,
    randomCbor(dice),
  ];
  const extensions = dice.oneIn(8) ? Buffer.of(1) : Buffer.alloc(flags >> 7);
  return Buffer.concat([
    Buffer.alloc(32, 9),
    Buffer.of(flags, 0, 0, dice.below(256), 1),
    ...((flags & 0x40) !== 0 ? attested : []),
    extensions,
  ]);
}

/** The data without extensions and reserved flags; `null` for what must be refused (WebAuthn L3 §6.1). */
function referenceData(input: Uint8Array): Buffer | null {
  if (input.length < 37) return null;
  const flags = input[32] ?? 0;
  let end = 37;
  if ((flags & 0x40) !== 0) {
    const keyAt = 55 + (input[53] ?? 0) * 256 + (input[54] ?? 0);
    const key = keyAt < input.length ? referenceCbor(input.subarray(keyAt)) : null;
    if (key === null) return null;
    end = keyAt + key.length;
  }
  if (input.length > end !== flags >= 0x80) return null;
  const kept = Buffer.from(input.subarray(0, end));
  kept[32] = flags & 0b11101;
  return kept;
}

/** What is left of client data in a ceremony: whatever the client sent, `CeremonyFailure` is all that is thrown. */
export function clientDataTarget(require = requireCeremony): Target {
  const { clientDataJSON, authenticatorData } = ES256.assert(CREATION).response;
  const data = decoded(authenticatorData);
  const valid = textOf(decoded(clientDataJSON));
  return {
    name: "client data",
    corpus: bytesOf(
      valid,
      valid.replace("{", '{"tokenBinding":{"status":"supported"},'),
      `\ufeff${valid}`,
      "{}",
      "[]",
      "null",
      '"a"',
    ),
    dictionary: bytesOf(
      ...[
        '"type":"webauthn.get",',
        '"crossOrigin":true,',
        '"topOrigin":"https://a",',
        '"topOrigin":null,',
        "\ufeff",
      ],
      ...[
        '"challenge":',
        "null",
        "[",
        "{",
        "}",
        "\\u0000",
        "\\ud800",
        '"__proto__":{},',
        '"toString":1,',
        "1e999",
      ],
    ),
    run(input) {
      try {
        require({ clientDataJson: input, authenticatorData: data }, {
          type: "webauthn.get",
          challenge: CHALLENGE,
          userVerification: "required",
        }, RP);
      } catch (error) {
        if (error instanceof CeremonyFailure) return error.message;
        throw error;
      }
      const {
        type,
        challenge,
        origin,
        crossOrigin = false,
        topOrigin = null,
      } = JSON.parse(
        new TextDecoder().decode(input), // without a byte order mark (WebAuthn L3 §7.2)
      );
      const isGood =
        type === "webauthn.get" && challenge === CREATION.publicKey.challenge && RP.origins.includes(origin);
      requireThat(isGood && crossOrigin !== true && topOrigin === null, "accepted other client data");
      return ACCEPTED;
    },
  };
}

/** A registration whose attestation object is hostile. */
export function registrationTarget(create = createPasskeyVerifier): Target {
  const verifier = create(RP);
  const [first] = REGISTRATIONS;
  return {
    name: "attestation objects",
    corpus: ATTESTATIONS,
    dictionary: [
      ...CBOR_DICTIONARY,
      ...bytesOf("none", "packed", "x5c", "alg", "sig", "fmt", "attStmt", "authData"),
    ],
    run(input) {
      const credential = {
        ...first,
        response: { ...first?.response, attestationObject: encodeBase64Url(input) },
      };
      return outcomeOf(() => {
        const { credentialId } = verifier.verifyRegistration(credential, CHALLENGE);
        requireThat(credentialId === first?.id, "registered another id");
      });
    },
  };
}

/** An assertion whose bytes are hostile: accepted only if what was signed is unchanged. */
export function assertionTarget(create = createPasskeyVerifier): Target {
  const verifier = create(RP);
  const { credential } = verifier.verifyRegistration(REGISTRATIONS[0], CHALLENGE);
  const assertion = parseAssertion(ES256.assert(CREATION));
  const { clientDataJson, authenticatorData, signature } = assertion;
  const whole = Buffer.concat([authenticatorData, clientDataJson, signature]);
  const [dataEnd, clientEnd] = [authenticatorData.length, authenticatorData.length + clientDataJson.length];
  const opened = { challenge: CHALLENGE, nonce: { id: "nonce", expiresAtMs: 1 } };
  return {
    name: "assertions",
    corpus: [whole],
    dictionary: [...CBOR_DICTIONARY, ...bytesOf("webauthn.create", "https://evil.example")],
    run(input) {
      const hostile = {
        ...assertion,
        authenticatorData: input.slice(0, dataEnd),
        clientDataJson: input.slice(dataEnd, clientEnd),
        signature: input.slice(clientEnd),
      };
      return outcomeOf(() => {
        verifier.verifyAssertion(hostile, opened, credential);
        requireThat(
          whole.subarray(0, clientEnd).equals(input.subarray(0, clientEnd)),
          "accepted what nobody signed",
        );
      });
    },
  };
}
