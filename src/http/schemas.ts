/** The shapes that several routes share. They are the types, the validation and the API reference at once. */
import {
  Kind,
  type ObjectOptions,
  type SchemaOptions,
  type Static,
  type TProperties,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
  TypeRegistry,
} from "@sinclair/typebox";
import { BACKUP_ACCOUNT_ID_PATTERN } from "../auth/account-key.ts";
import { examples } from "./examples.ts";

const KIB = 1024;

/**
 * An object of a request. Members that it does not name are let through and ignored: clients may be newer than we are.
 */
export function object<T extends TProperties>(properties: T, options: ObjectOptions = {}) {
  return Type.Object(properties, { additionalProperties: true, ...options });
}

/** A member that may be absent or `null`. */
export function optional<T extends TSchema>(schema: T) {
  return Type.Optional(
    Type.Union(
      [schema, Type.Null()],
      schema.description === undefined ? {} : { description: schema.description },
    ),
  );
}

/** A text of at most `maxBytes` in UTF-8. */
export function boundedText(maxBytes: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "BoundedText", type: "string", maxLength: maxBytes });
}
TypeRegistry.Set<{ maxLength: number }>(
  "BoundedText",
  ({ maxLength }, value) =>
    typeof value === "string" && value.length <= maxLength && Buffer.byteLength(value) <= maxLength,
);

/** Any string that has no narrower bound. */
export function text(options: SchemaOptions = {}) {
  return boundedText(4 * KIB, options);
}

/**
 * A text that is kept with a backup, of at most `maxBytes` as the JSON that it is kept as: what is kept of a backup has
 * to fit into one record, with all escapes.
 */
function keptText(maxBytes: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "KeptText", type: "string", maxLength: maxBytes });
}
/** The most a UTF-16 code unit takes as JSON: a control character's escape. */
const MAX_BYTES_PER_UNIT = 6;
TypeRegistry.Set<{ maxLength: number }>(
  "KeptText",
  ({ maxLength }, value) =>
    typeof value === "string" &&
    (value.length * MAX_BYTES_PER_UNIT <= maxLength ||
      Buffer.byteLength(JSON.stringify(value)) - '""'.length <= maxLength),
);

/** A JSON object of at most `maxBytes` as compact JSON, otherwise opaque. */
function boundedJson(maxBytes: number, options: SchemaOptions = {}): TUnsafe<object> {
  return Type.Unsafe<object>({ ...options, [Kind]: "BoundedJson", type: "object", maxBytes });
}
TypeRegistry.Set<{ maxBytes: number }>(
  "BoundedJson",
  ({ maxBytes }, value) =>
    typeof value === "object" && value !== null && Buffer.byteLength(JSON.stringify(value)) <= maxBytes,
);

/** A text of at most `maxCharacters`, which are code points: what a person counts, not what JavaScript does. */
function characters(maxCharacters: number, options: SchemaOptions = {}): TUnsafe<string> {
  return Type.Unsafe<string>({ ...options, [Kind]: "Characters", type: "string", maxLength: maxCharacters });
}
TypeRegistry.Set<{ maxLength: number }>(
  "Characters",
  ({ maxLength }, value) =>
    typeof value === "string" && (value.length <= maxLength || [...value].length <= maxLength),
);

export const ChallengeToken = boundedText(32 * KIB, {
  description: "The token that came with the challenge, unchanged.",
  example: examples.token,
});

export const BackupAccountId = Type.String({
  pattern: BACKUP_ACCOUNT_ID_PATTERN,
  description: "`backup_account_` and the 66 hex digits of a compressed secp256k1 public key (SEC 1).",
  example: examples.backupId,
});

export const ManifestHash = Type.String({
  pattern: "^(?:0x)?[0-9a-fA-F]{64}$",
  description: "32 bytes as hex, with or without `0x`: names the state of the content.",
  example: examples.manifestHash,
});

/** A manifest hash as it is stored and compared. */
export function normalizedManifestHash(hash: string): string {
  return hash.replace(/^0x/, "").toLowerCase();
}

export const PublicKey = text({
  description: "Base64 of the SEC 1 uncompressed P-256 point (65 bytes).",
  example: examples.publicKey,
});

const KeypairSignature = text({
  description: "Base64 of the DER ECDSA-SHA256 signature over the raw challenge bytes.",
  example: examples.signature,
});

export const PasskeyName = characters(256, {
  description: "What the user is shown for the passkey.",
  example: "Ada's backup",
});

export const IdToken = boundedText(8 * KIB, {
  description: "The id_token (OpenID Connect Core §2).",
});

export const Authorization = Type.Union(
  [
    object(
      {
        kind: Type.Literal("PASSKEY"),
        credential: boundedJson(16 * KIB, {
          description: "The WebAuthn registration or authentication response as JSON.",
        }),
        label: optional(characters(256, { description: "How the user knows the passkey." })),
      },
      { title: "Passkey" },
    ),
    object(
      {
        kind: Type.Literal("OIDC_ACCOUNT"),
        oidcToken: Type.Union([
          object({ kind: Type.Literal("GOOGLE"), token: IdToken }, { title: "Google" }),
          object(
            {
              kind: Type.Literal("APPLE"),
              token: IdToken,
              aud: optional(text({ description: "The client id the token was issued to." })),
            },
            { title: "Apple" },
          ),
        ]),
        publicKey: PublicKey,
        signature: KeypairSignature,
      },
      { title: "Google or Apple account" },
    ),
    object(
      { kind: Type.Literal("EC_KEYPAIR"), publicKey: PublicKey, signature: KeypairSignature },
      { title: "P-256 keypair" },
    ),
  ],
  {
    description: "Who is asking, and the solved challenge as the proof.",
    example: examples.authorization,
  },
);

const ENCRYPTED_KEY = {
  description: "The user's encryption key, encrypted by something the service never sees.",
  example: examples.encryptedKey,
};

function encryptionKey(bounded: (maxLength: number, options?: SchemaOptions) => TUnsafe<string> | TString) {
  const encryptedKey = bounded(8 * KIB, ENCRYPTED_KEY);
  return Type.Union(
    [
      object({ kind: Type.Literal("PRF"), encryptedKey }, { title: "For passkeys" }),
      object({ kind: Type.Literal("ICLOUD"), encryptedKey }, { title: "For keypairs" }),
      object(
        {
          kind: Type.Literal("TURNKEY"),
          encryptedKey,
          turnkeyAccountId: bounded(4 * KIB),
          turnkeyUserId: bounded(4 * KIB),
          turnkeyPrivateKeyId: bounded(4 * KIB),
        },
        { title: "For Google and Apple accounts" },
      ),
    ],
    { description: "At most one of each kind is on a backup.", example: examples.encryptionKey },
  );
}

/** A key to keep. */
export const EncryptionKey = encryptionKey(keptText);

/** A key that is kept, by what was kept of it. */
export const StoredEncryptionKey = encryptionKey((maxLength, options) =>
  Type.String({ ...options, maxLength }),
);

export const TurnkeyProviderId = keptText(4 * KIB, {
  description: "Required when the factor to register is a Google or Apple account.",
});

const ExportedFactor = Type.Object({
  id: Type.String({ description: "UUID." }),
  createdAt: Type.Integer({ description: "Seconds since the epoch." }),
  kind: Type.Union([
    Type.Object({
      kind: Type.Literal("PASSKEY"),
      credentialId: Type.String({ description: "base64url." }),
      registration: Type.Unknown({ description: "The registration credential as it was sent." }),
      label: Type.String(),
    }),
    Type.Object({
      kind: Type.Literal("OIDC_ACCOUNT"),
      account: Type.Object({
        kind: Type.Union([Type.Literal("GOOGLE"), Type.Literal("APPLE")]),
        maskedEmail: Type.String({ description: "Such as `ab***@example.com`." }),
      }),
      turnkeyProviderId: Type.String(),
    }),
    Type.Object({ kind: Type.Literal("EC_KEYPAIR"), publicKey: Type.String() }),
  ]),
});

export const Metadata = Type.Object(
  {
    id: BackupAccountId,
    keys: Type.Array(EncryptionKey),
    factors: Type.Array(ExportedFactor, { description: "The main factors, oldest first." }),
    syncFactors: Type.Array(ExportedFactor, { description: "The sync factors, oldest first." }),
    manifestHash: Type.String({ description: "32 bytes as lower-case hex.", example: examples.manifestHash }),
  },
  { description: "What the owner of a backup sees of it.", example: examples.metadata },
);

export const BackupIdResponse = Type.Object({ backupId: BackupAccountId });

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** What a handler returns whose 200 response the API reference describes by the schema `S`. */
export type Reply<S extends TSchema> = Promise<DeepReadonly<Static<S>>>;
