/** Faults that parsers have had, or could have: the campaigns find each of them. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { p256 } from "@noble/curves/nist.js";
import { ambiguityIn } from "../../../src/backups/legacy/strict-json.ts";
import { decodeBase64Url } from "../../../src/client/base64.ts";
import { derSignature } from "../../../src/client/der-signature.ts";
import { loadConfigs } from "../../../src/config/config.ts";
import { importP256PublicKey, verifyP256, verifySecp256k1 } from "../../../src/crypto/ecdsa.ts";
import { boundaryOf } from "../../../src/http/body/multipart-headers.ts";
import { clientApp } from "../../../src/http/client-app.ts";
import { pathOf } from "../../../src/http/path.ts";
import { createAppChoice } from "../../../src/http/served-app.ts";
import { describeMismatch } from "../../../src/http/validation.ts";
import { clientAddress } from "../../../src/limits/client-address.ts";
import { createAttestationVerifier } from "../../../src/proofs/app-attestation/verifier.ts";
import { createChallengeTokens } from "../../../src/proofs/challenge-tokens.ts";
import { createOidcVerifier } from "../../../src/proofs/identity/oidc.ts";
import { verifyKeypairSignature } from "../../../src/proofs/keypair.ts";
import { readAuthenticatorData } from "../../../src/proofs/passkey/authenticator-data.ts";
import { readCbor } from "../../../src/proofs/passkey/cbor.ts";
import { requireCeremony } from "../../../src/proofs/passkey/ceremony.ts";
import { importCosePublicKey } from "../../../src/proofs/passkey/cose-key.ts";
import { createPasskeyVerifier, type VerifiedRegistration } from "../../../src/proofs/passkey/passkey.ts";
import { parseRegistration } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { requireActivity } from "../../../src/proofs/turnkey/activity.ts";
import { canonicalJson } from "../../../src/protocol/canonical-json.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { unpackVersions } from "../../../src/storage/aws/packed-versions.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { recordOf } from "../../../src/storage/aws/tables.ts";
import { createTracing } from "../../../src/telemetry/open-telemetry.ts";
import { cborTarget } from "./cbor.ts";
import { clientBase64Target, clientDerTarget } from "./client-encodings.ts";
import { appChoiceTarget, appsFileTarget, configurationTarget } from "./configuration.ts";
import { ENCODINGS, encodingTarget } from "./encodings.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import { itemsTarget } from "./items.ts";
import {
  activityTarget,
  bodyTarget,
  canonicalJsonTarget,
  credentialTarget,
  strictJsonTarget,
} from "./json.ts";
import { boundaryTarget, multipartTarget, readParts } from "./multipart.ts";
import { dynamoDbOutputTarget, s3OutputTarget } from "./outputs.ts";
import {
  assertionTarget,
  authenticatorDataTarget,
  clientDataTarget,
  coseKeyTarget,
  registrationTarget,
} from "./passkeys.ts";
import { addressTarget, clientAppTarget, pathTarget, traceparentTarget } from "./requests.ts";
import {
  p256PointTarget,
  p256SignatureTarget,
  proofTextTarget,
  secp256k1SignatureTarget,
} from "./signatures.ts";
import { dynamoDbTarget, packedVersionsTarget, s3Target } from "./stores.ts";
import type { Target } from "./target.ts";
import { allTargets } from "./targets.ts";
import {
  attestationTokenTarget,
  challengeTokenTarget,
  idTokenTarget,
  jwksOf,
  keySetTarget,
} from "./tokens.ts";

const SEED = 1;

const { base64, base64url, hex } = ENCODINGS;
if (base64 === undefined || base64url === undefined || hex === undefined)
  throw new Error("there is no such encoding");

const POINT = p256.getPublicKey(new Uint8Array(32).fill(1), false);

/** Each with the number of cases in which it must be found. */
const FAULTS: readonly (readonly [fault: string, target: Target, cases: number])[] = [
  [
    "a RangeError for a length of two bytes that breaks off",
    cborTarget((bytes) => {
      if (bytes[0] === 0x59) new DataView(new Uint8Array(bytes).buffer, 1).getUint16(0);
      return readCbor(bytes);
    }),
    20_000,
  ],
  [
    "the length of an item beyond its end",
    cborTarget((bytes) => {
      try {
        return readCbor(bytes);
      } catch (error) {
        if (bytes.length === 1 && bytes[0] === 0x41) return { value: new Uint8Array(), length: 2 };
        throw error;
      }
    }),
    20_000,
  ],
  [
    "base64 with bits behind the last byte",
    encodingTarget("base64", {
      ...base64,
      decode: (text) => (/^[\w+/]*=*$/.test(text) ? Buffer.from(text, "base64") : null),
    }),
    5_000,
  ],
  [
    "hex whose characters are beyond U+00FF",
    encodingTarget("hex", {
      ...hex,
      decode(text) {
        const bytes = Buffer.from(text, "hex");
        return bytes.length * 2 === text.length ? bytes : null;
      },
    }),
    20_000,
  ],
  [
    "signatures with a zero before r",
    p256SignatureTarget(
      (key, message, signature) =>
        (signature[4] === 0 && signature[5] === 0) || verifyP256(key, message, signature),
    ),
    20_000,
  ],
  [
    "an error class of its own for a key",
    coseKeyTarget((encoded) => {
      if (encoded.length === 76) throw new TypeError("not 77 bytes");
      return importCosePublicKey(encoded);
    }),
    20_000,
  ],
  [
    "canonical JSON with integers as doubles",
    canonicalJsonTarget((text) => canonicalJson(text).replace(/\d{17,}/, (digits) => `${Number(digits)}`)),
    20_000,
  ],
  [
    "a boundary of no character",
    boundaryTarget((contentType) => (contentType.endsWith('boundary=""') ? "" : boundaryOf(contentType))),
    50_000,
  ],
  [
    "a TypeError for metadata that are null",
    activityTarget((activity, expected, clock) => {
      if (/"metadata":\s*null/.test(activity)) throw new TypeError("null is no object");
      requireActivity(activity, expected, clock);
    }),
    20_000,
  ],
  [
    "a RangeError for a version that breaks off",
    packedVersionsTarget((backupId, text) => {
      const bytes = Buffer.from(text, "base64url");
      if (bytes.length === 18) bytes.readDoubleBE(17);
      return unpackVersions(backupId, text);
    }),
    20_000,
  ],
  [
    "the line break before a boundary as part of the content",
    multipartTarget(async (contentType, chunks) => {
      const form = await readParts(contentType, chunks);
      return form.payload === "" ? { ...form, payload: "\r\n" } : form;
    }),
    20_000,
  ],
  [
    "no word about what is wrong with null",
    bodyTarget((schema, value) => (value === null ? "" : describeMismatch(schema, value))),
    20_000,
  ],
  [
    "a passkey of another id than the response has",
    registrationTarget((config) => {
      const verifier = createPasskeyVerifier(config);
      let last: VerifiedRegistration | null = null;
      return {
        ...verifier,
        verifyRegistration(credential, challenge) {
          try {
            last = verifier.verifyRegistration(credential, challenge);
            return last;
          } catch (error) {
            const isOther = error instanceof Error && /another id/.test(String(error.cause));
            if (isOther && last !== null) return { ...last, credentialId: "another" };
            throw error;
          }
        },
      };
    }),
    20_000,
  ],
  [
    "an assertion whose signature is empty",
    assertionTarget((config) => {
      const verifier = createPasskeyVerifier(config);
      return {
        ...verifier,
        verifyAssertion(assertion, opened, credential) {
          if (assertion.signature.length === 0) return { counter: 9, backupEligible: false };
          return verifier.verifyAssertion(assertion, opened, credential);
        },
      };
    }),
    20_000,
  ],
  [
    "a challenge token whose tag is not checked",
    await challengeTokenTarget(async (...given) => {
      const tokens = await createChallengeTokens(...given);
      return {
        ...tokens,
        read: (token, type) =>
          tokens.read(token, type).catch((error: unknown) => {
            if (token.split(".").length !== 5) throw error;
            const nonce = { id: "nonce", expiresAtMs: 0 };
            const context = { operation: "sync", bindings: {} } as const;
            return { challenge: new Uint8Array(32), nonce, issuedAtMs: 0, context };
          }),
      };
    }),
    20_000,
  ],
  [
    "an id_token without a signature",
    idTokenTarget((...given) => {
      const verifier = createOidcVerifier(...given);
      return {
        async verify(oidcToken, publicKey) {
          if (!oidcToken.token.endsWith(".")) return verifier.verify(oidcToken, publicKey);
          const nonce = { id: "nonce", expiresAtMs: 0 };
          return { provider: "GOOGLE", issuer: "", sub: "", email: null, nonce };
        },
      };
    }),
    20_000,
  ],
  [
    "an attestation token without a signature",
    attestationTokenTarget((...given) => {
      const verifier = createAttestationVerifier(...given);
      return {
        async verify(request) {
          return request.header?.endsWith(".") ? { failure: null } : verifier.verify(request);
        },
      };
    }),
    20_000,
  ],
  [
    "a secret as the key of an issuer",
    keySetTarget((text) => ({
      async key(header) {
        if (!text.includes('"oct"')) return jwksOf(text).key(header);
        const algorithm = { name: "HMAC", hash: "SHA-256" };
        return crypto.subtle.importKey("raw", new Uint8Array(32), algorithm, false, ["verify"]);
      },
    })),
    20_000,
  ],
  [
    "an address that the client has chosen",
    addressTarget((peer, forwarded, hops) =>
      clientAddress(peer, hops === 3 ? (forwarded?.split(",")[0] ?? null) : forwarded, hops && 1),
    ),
    5_000,
  ],
  [
    "a traceparent in upper case",
    traceparentTarget((...given) => {
      const tracing = createTracing(...given);
      return {
        start: (name, kind, traceparent) => tracing.start(name, kind, traceparent?.toLowerCase()),
        stop: () => tracing.stop(),
      };
    }),
    20_000,
  ],
  [
    "a name with a control character",
    clientAppTarget((headers) => {
      const version = headers.get("client-version");
      return version === "\u0085" ? { name: "", version } : clientApp(headers);
    }),
    50_000,
  ],
  [
    "a path with the fragment that the router reads",
    pathTarget((url, host) => (url.includes("#") ? (URL.parse(url)?.pathname ?? null) : pathOf(url, host))),
    5_000,
  ],
  [
    "an error of the client for an underscore",
    clientBase64Target((text) => decodeBase64Url(text.replaceAll("_", "."))),
    5_000,
  ],
  [
    "a negative integer in a signature of the client",
    clientDerTarget((signature) => {
      const encoded = derSignature(signature);
      return encoded[4] === 0 && encoded[5] === 0x80 ? encoded.subarray(1) : encoded;
    }),
    5_000,
  ],
  [
    "a TypeError for a URL that is none",
    configurationTarget((env) => {
      if (env.APPLE_JWKS_URL?.trim()) new URL(env.APPLE_JWKS_URL);
      return loadConfigs(env);
    }),
    5_000,
  ],
  [
    "a SyntaxError for a file that is not JSON",
    appsFileTarget((env) => {
      JSON.parse(readFileSync(env.APPS_FILE ?? "", "utf8"));
      return loadConfigs(env);
    }),
    5_000,
  ],
  [
    "an app that the client has chosen",
    appChoiceTarget((apps) => {
      const choose = createAppChoice(apps);
      return (request, path) => {
        const [first] = request.headers.get("x-forwarded-host")?.split(",") ?? [];
        if (first !== undefined) request.headers.set("x-forwarded-host", first);
        return choose(request, path);
      };
    }),
    5_000,
  ],
  [
    "a SyntaxError for a record without metadata",
    itemsTarget((item) => {
      JSON.parse(item.Metadata?.S ?? "");
      return recordOf(item);
    }),
    5_000,
  ],
  [
    "base64url with padding",
    encodingTarget("base64url", {
      ...base64url,
      decode: (text) => base64url.decode(text.replace(/=+$/, "")),
    }),
    5_000,
  ],
  [
    "a byte behind authenticator data",
    authenticatorDataTarget((data) =>
      readAuthenticatorData(data.length === 38 ? data.subarray(0, 37) : data),
    ),
    20_000,
  ],
  [
    "a ceremony in a frame of another origin",
    clientDataTarget(({ clientDataJson, ...given }, ...rest) => {
      const text = Buffer.from(clientDataJson).toString("latin1");
      const hidden = Buffer.from(text.replace('"topOrigin":"https://a",', ""), "latin1");
      return requireCeremony({ ...given, clientDataJson: hidden }, ...rest);
    }),
    50_000,
  ],
  [
    "an account's signature with a zero before r as a wrong one",
    secp256k1SignatureTarget((key, message, signature) => {
      const found = verifySecp256k1(key, message, signature);
      return signature[4] === 0 && signature[5] === 0 ? "not-verified" : found;
    }),
    20_000,
  ],
  [
    "a compressed point as a key",
    p256PointTarget((bytes) => importP256PublicKey(bytes.length === 33 ? POINT : bytes)),
    5_000,
  ],
  [
    "a keypair's proof in the other alphabet",
    proofTextTarget((publicKey, signature, message) => {
      const base64Of = (text: string) => text.replaceAll("-", "+").replaceAll("_", "/");
      verifyKeypairSignature(base64Of(publicKey), base64Of(signature), message);
    }),
    20_000,
  ],
  [
    "a TypeError for a response that is null",
    credentialTarget((value) => {
      if (/"response":null/.test(JSON.stringify(value))) throw new TypeError("null is no object");
      return parseRegistration(value);
    }),
    20_000,
  ],
  [
    "a member that an escape hides",
    strictJsonTarget((text) => (text.includes("\\u") ? null : ambiguityIn(text))),
    50_000,
  ],
  [
    "one object of a list that is no list",
    await s3OutputTarget((protocol) => ({
      serializeRequest: (...given) => protocol.serializeRequest(...given),
      async deserializeResponse(...given) {
        const output = Object(await protocol.deserializeResponse(...given));
        if (output.Contents?.length === 1) output.Contents = output.Contents[0];
        return output;
      },
    })),
    5_000,
  ],
  [
    "an outage of DynamoDB as a TypeError",
    await dynamoDbTarget(async (...given) => {
      const records = await openAwsRecords(...given);
      const list = records.list.bind(records);
      records.list = async function* () {
        const found = await Array.fromAsync(list()).catch(() => null);
        if (found === null) throw new TypeError("null is no list");
        yield* found;
      };
      return records;
    }),
    2_000,
  ],
  [
    "an outage of S3 as a TypeError",
    await s3Target(async (...given) => {
      const blobs = await openAwsBlobs(...given);
      const ready = blobs.ready.bind(blobs);
      blobs.ready = () => ready().catch(() => Promise.reject(new TypeError("null is no bucket")));
      return blobs;
    }),
    2_000,
  ],
  ["an item that is no map", await dynamoDbOutputTarget((sdk) => sdk), 5_000],
];

test("every target has a planted fault", async () => {
  const planted = new Set(FAULTS.map(([, { name }]) => name));
  const targets = await allTargets();
  expect(targets.map(({ name }) => name).filter((name) => !planted.has(name))).toEqual([]);
});

describe("a fault that is planted is found:", () => {
  test.each(FAULTS)("%s", async (_fault, target, cases) => {
    const { failures } = await fuzzTarget(target, { cases, seed: SEED });
    expect(failures).not.toEqual([]);
    expect(failures[0]).toContain(`seed ${SEED}, case `);
  });
});
