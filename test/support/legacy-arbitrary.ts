/** Backups of the other service as fast-check makes them up: every form of every member, in every combination. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import type { JsonObject, JsonValue } from "../../src/storage/contract.ts";
import { newKeys } from "./software-authenticator.ts";

const text = fc.string({ maxLength: 12 });
const hexDigits = (length: number) =>
  fc
    .array(fc.constantFrom(..."0123456789abcdefABCDEF"), { minLength: length, maxLength: length })
    .map((all) => all.join(""));
const upperOrLower = (value: string) => fc.constantFrom(value, value.toUpperCase());

const legacyIds = fc.oneof(
  hexDigits(64).map((digits) => `backup_account_${digits}`),
  hexDigits(66).map((digits) => `backup_account_${digits}`),
  fc.uuid().chain(upperOrLower),
);

const times = fc
  .tuple(
    fc.date({ min: new Date("1990-01-01"), max: new Date("2100-01-01"), noInvalidDate: true }),
    fc.option(
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 9 }).map((digits) => digits.join("")),
      { nil: null },
    ),
    fc.constantFrom("Z", "z", "+00:00", "-07:30"),
  )
  .map(([date, fraction, zone]) => {
    const seconds = date.toISOString().slice(0, 19);
    return `${seconds}${fraction === null ? "" : `.${fraction}`}${zone}`;
  });

/** A member that nobody knows, of a name that nobody uses. */
const unknownMembers: fc.Arbitrary<JsonObject> = fc.dictionary(
  text.map((name) => `x-${name}`),
  fc.jsonValue().map((value): JsonValue => JSON.parse(JSON.stringify(value))),
  { maxKeys: 2 },
);

const binary = (bytes: Uint8Array) => {
  const base64 = Buffer.from(bytes).toString("base64");
  return fc.constantFrom<JsonValue>(
    base64,
    base64.replace(/=+$/, ""),
    base64.replaceAll("+", "-").replaceAll("/", "_"),
    Buffer.from(bytes).toString("base64url"),
    [...bytes],
  );
};

const PAIRS = Array.from({ length: 8 }, () => newKeys("ES256"));
const RSA_PAIRS = Array.from({ length: 2 }, () => newKeys("RS256"));
const bytesOf = (value: string | undefined) => Buffer.from(value ?? "", "base64url");

const ecKey = fc.constantFrom(...PAIRS).chain(({ publicKey }) => {
  const { x, y } = publicKey.export({ format: "jwk" });
  return fc.record({
    type_: fc.constantFrom("ES256", "ECDSA_SHA256"),
    key: fc.record({
      EC_EC2: fc.record({ curve: fc.constant("SECP256R1"), x: binary(bytesOf(x)), y: binary(bytesOf(y)) }),
    }),
  });
});
const rsaKey = fc.constantFrom(...RSA_PAIRS).chain(({ publicKey }) => {
  const { n } = publicKey.export({ format: "jwk" });
  return fc.record({
    type_: fc.constantFrom("RS256", "RSASSA_PKCS1_v1_5_SHA256"),
    key: fc.record({ RSA: fc.record({ n: binary(bytesOf(n)), e: fc.constant([1, 0, 1]) }) }),
  });
});

const credentials = fc
  .record({
    cred_id: fc.uint8Array({ minLength: 1, maxLength: 40 }).chain(binary),
    cred: fc.oneof(ecKey, rsaKey),
    counter: fc.nat(),
    transports: fc.option(fc.array(fc.constantFrom("usb", "nfc", "internal")), { nil: null }),
    user_verified: fc.boolean(),
    backup_eligible: fc.boolean(),
    backup_state: fc.boolean(),
    registration_policy: fc.constantFrom("required", "preferred"),
    extensions: unknownMembers,
    attestation: fc.constant({ data: "None", metadata: "None" }),
    attestation_format: fc.constantFrom("none", "packed"),
  })
  .chain((cred) => unknownMembers.map((more) => ({ cred, ...more }) as JsonObject));

const kinds: fc.Arbitrary<JsonObject> = fc.oneof(
  text.map((publicKey) => ({ kind: "EC_KEYPAIR", publicKey })),
  fc
    .record({
      kind: fc.constantFrom("GOOGLE", "APPLE"),
      sub: text,
      maskedEmail: text.map((local) => `${local}***@example.com`),
    })
    .map((account) => ({ kind: "OIDC_ACCOUNT", account, turnkeyProviderId: "provider" })),
  fc
    .record({ label: text, registration: unknownMembers, webauthnCredential: credentials })
    .map((passkey) => ({ kind: "PASSKEY", ...passkey })),
);

const factorsOf = (kind: fc.Arbitrary<JsonObject>, maxLength: number) =>
  fc.array(
    fc
      .record({ id: fc.uuid(), createdAt: times, kind })
      .chain((factor) => unknownMembers.map((more) => ({ ...more, ...factor }))),
    { maxLength },
  );

const keys = fc.array(
  fc.oneof(
    text.map((encryptedKey) => ({ kind: "PRF", encryptedKey })),
    text.map((encryptedKey) => ({ kind: "ICLOUD", encryptedKey })),
  ),
  { maxLength: 4 },
);

/** Metadata whose every member has a way back. */
export const legacyMetadata: fc.Arbitrary<JsonObject & { readonly id: string }> = fc
  .record({
    id: legacyIds,
    factors: factorsOf(kinds, 12),
    syncFactors: factorsOf(
      text.map((publicKey) => ({ kind: "EC_KEYPAIR", publicKey })),
      4,
    ),
    keys,
    manifestHash: fc.tuple(fc.constantFrom("", "0x"), hexDigits(64)).map((parts) => parts.join("")),
    archiveId: fc.constant(`archive_${randomBytes(16).toString("hex")}`),
  })
  .chain((metadata) => unknownMembers.map((more) => ({ ...more, ...metadata })));
