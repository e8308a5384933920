/**
 * What the service keeps about a backup. These schemas are the stored format: every member that was ever written
 * must still be read, and members that this version does not know survive each rewrite.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { StoredCredential } from "../proofs/passkey/stored-credential.ts";
import type { FactorIdentity } from "../proofs/verify.ts";
import type { Scope } from "../protocol/factor.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { memoise } from "../runtime/memoise.ts";
import { type FactorRef, factorKeys, type JsonObject } from "../storage/contract.ts";
import { MIGRATIONS, migrated, withSchemaVersion } from "./schema-version.ts";

/** The user's encryption key, encrypted with a key that the service never sees. At most one per kind. */
export const EncryptionKeySchema = Type.Union([
  Type.Object({ kind: Type.Literal("PRF"), encryptedKey: Type.String() }),
  Type.Object({ kind: Type.Literal("ICLOUD"), encryptedKey: Type.String() }),
  Type.Object({
    kind: Type.Literal("TURNKEY"),
    encryptedKey: Type.String(),
    turnkeyAccountId: Type.String(),
    turnkeyUserId: Type.String(),
    turnkeyPrivateKeyId: Type.String(),
  }),
]);

const PasskeySchema = Type.Object({
  kind: Type.Literal("PASSKEY"),
  /** base64url. */
  credentialId: Type.String(),
  /** The registration credential as the client sent it. */
  registration: Type.Unknown(),
  label: Type.String(),
  credential: StoredCredential,
});

const OidcAccountSchema = Type.Object({
  kind: Type.Literal("OIDC_ACCOUNT"),
  account: Type.Object({
    kind: Type.Union([Type.Literal("GOOGLE"), Type.Literal("APPLE")]),
    issuer: Type.String(),
    sub: Type.String(),
    maskedEmail: Type.String(),
  }),
  turnkeyProviderId: Type.String(),
});

const EcKeypairSchema = Type.Object({
  kind: Type.Literal("EC_KEYPAIR"),
  /** base64 of the SEC 1 uncompressed point, as the client sent it. */
  publicKey: Type.String(),
});

function factorOf<T extends TSchema>(kind: T) {
  return Type.Object({
    /** UUID. */
    id: Type.String(),
    /** Seconds since the epoch. */
    createdAt: Type.Integer(),
    kind,
  });
}

const MainFactorSchema = factorOf(Type.Union([PasskeySchema, OidcAccountSchema, EcKeypairSchema]));
export type MainFactor = Static<typeof MainFactorSchema>;
const SyncFactorSchema = Type.Object({
  ...factorOf(EcKeypairSchema).properties,
  /** The sync factor whose place it took, and when, in milliseconds since the epoch. */
  replaced: Type.Optional(Type.Object({ id: Type.String(), atMs: Type.Integer() })),
  /** Seconds since the epoch. Not there while it was not used. */
  lastUsedAt: Type.Optional(Type.Integer()),
});
export type SyncFactor = Static<typeof SyncFactorSchema>;
export type Factor = MainFactor | SyncFactor;

const BackupMetadataSchema = Type.Object({
  /** The backup account id. */
  id: Type.String(),
  /** 32 bytes as lower-case hex without prefix. */
  manifestHash: Type.String(),
  /** 32 bytes as lower-case hex without prefix. Not there while no client has sent one. */
  encryptionPublicKey: Type.Optional(Type.String()),
  keys: Type.Array(EncryptionKeySchema),
  factors: Type.Array(MainFactorSchema),
  syncFactors: Type.Array(SyncFactorSchema),
  /** When the content was stored, in milliseconds since the epoch. Not there if earlier releases stored it. */
  contentAtMs: Type.Optional(Type.Integer()),
  /** The log of its events, a UUID. Not there while no change since earlier releases needed one. */
  logId: Type.Optional(Type.String()),
  /** When a main factor was removed last, in milliseconds since the epoch. Absent if none was. */
  mainFactorRemovedAtMs: Type.Optional(Type.Integer()),
});
export type BackupMetadata = Static<typeof BackupMetadataSchema>;

const compiled = memoise(() => TypeCompiler.Compile(BackupMetadataSchema));

/**
 * Reads stored metadata of any version.
 *
 * @param migrations others than the service's, for tests.
 * @throws NewerSchema; Error when it does not fit the schema: a wrong guess could authorise the wrong factor.
 */
export function readMetadata(stored: JsonObject, migrations = MIGRATIONS): BackupMetadata {
  const metadata = migrated(stored, migrations);
  if (compiled().Check(metadata)) return metadata;
  const [first] = compiled().Errors(metadata);
  throw new Error(`stored metadata does not fit its schema at ${first?.path || "/"}: ${first?.message}`);
}

/** The metadata as it is stored. @param migrations as for {@link readMetadata}. */
export function storedMetadata(metadata: BackupMetadata, migrations = MIGRATIONS): JsonObject {
  return withSchemaVersion(metadata as BackupMetadata & JsonObject, migrations);
}

/** The public key and counter of a passkey that the metadata lists. */
export function passkeyCredential(metadata: BackupMetadata, passkey: FactorRef): StoredCredential {
  const kind = listedFactor(metadata, passkey)?.kind;
  if (kind?.kind !== "PASSKEY") throw new Error("the metadata does not list the passkey");
  return kind.credential;
}

/** A new factor of a backup. */
export function newFactor<Kind>(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  kind: Kind,
) {
  return { id: random.uuid(), createdAt: Math.floor(clock.nowMs() / 1000), kind };
}

/** The index row of a factor. */
export function factorRef(scope: Scope, { kind }: { readonly kind: FactorIdentity }): FactorRef {
  switch (kind.kind) {
    case "PASSKEY":
      return { scope, key: factorKeys.passkey(kind.credentialId) };
    case "OIDC_ACCOUNT":
      return { scope, key: factorKeys.oidcAccount(kind.account.issuer, kind.account.sub) };
    case "EC_KEYPAIR":
      return { scope, key: factorKeys.ecKeypair(kind.publicKey) };
  }
}

/** The index rows of all factors of a backup. */
export function allFactorRefs(metadata: BackupMetadata): FactorRef[] {
  return [
    ...metadata.factors.map((factor) => factorRef("MAIN", factor)),
    ...metadata.syncFactors.map((factor) => factorRef("SYNC", factor)),
  ];
}

/** The factor, if the metadata lists it in its scope. Only this authorises, not the index. */
export function listedFactor(metadata: BackupMetadata, { scope, key }: FactorRef): Factor | undefined {
  const factors: readonly Factor[] = scope === "MAIN" ? metadata.factors : metadata.syncFactors;
  return factors.find((factor) => factorRef(scope, factor).key === key);
}

/**
 * Whether two states of one account id are of the same backup. The ids of factors are fresh, so a backup that was deleted
 * and created again has none of the earlier one's.
 */
export function isSameBackup(one: BackupMetadata, other: BackupMetadata): boolean {
  const idsOf = ({ factors, syncFactors }: BackupMetadata) =>
    [...factors, ...syncFactors].map(({ id }) => id);
  const ids = new Set(idsOf(one));
  return idsOf(other).some((id) => ids.has(id));
}

/** Whether the metadata lists a factor in its scope. */
export function lists(metadata: BackupMetadata, factor: FactorRef): boolean {
  return listedFactor(metadata, factor) !== undefined;
}
