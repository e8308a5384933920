/**
 * The metadata of the other service as it stores them. Members that are not named here are kept: what it has added since
 * goes with a backup and comes back with it.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { memoise } from "../../runtime/memoise.ts";
import { EncryptionKeySchema } from "../model.ts";
import { ambiguityIn } from "./strict-json.ts";

/** base64url or base64, padded or not, or byte values. */
const Binary = Type.Union([Type.String(), Type.Array(Type.Integer({ minimum: 0, maximum: 255 }))]);
export type LegacyBinary = Static<typeof Binary>;

/** An optional text. Some writers leave a missing one out, others write `null`. */
const OptionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]));

const LegacyCredentialSchema = Type.Object({
  cred: Type.Object({
    cred_id: Binary,
    cred: Type.Object({
      type_: Type.String(),
      key: Type.Union([
        Type.Object({
          EC_EC2: Type.Object({ curve: Type.Literal("SECP256R1"), x: Binary, y: Binary }),
        }),
        Type.Object({ RSA: Type.Object({ n: Binary, e: Binary }) }),
      ]),
    }),
    counter: Type.Integer({ minimum: 0 }),
    transports: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
    user_verified: Type.Boolean(),
    backup_eligible: Type.Boolean(),
    backup_state: Type.Boolean(),
  }),
});
export type LegacyCredential = Static<typeof LegacyCredentialSchema>;

const LegacyKeypairSchema = Type.Object({ kind: Type.Literal("EC_KEYPAIR"), publicKey: Type.String() });

const LegacyAccountSchema = Type.Object({
  kind: Type.Literal("OIDC_ACCOUNT"),
  account: Type.Object({
    kind: Type.Union([Type.Literal("GOOGLE"), Type.Literal("APPLE")]),
    sub: Type.String(),
    maskedEmail: OptionalText,
    /** The whole address, in what older versions stored. */
    email: OptionalText,
  }),
  turnkeyProviderId: Type.String(),
});
export type LegacyAccount = Static<typeof LegacyAccountSchema>;

const LegacyPasskeySchema = Type.Object({
  kind: Type.Literal("PASSKEY"),
  label: OptionalText,
  registration: Type.Unknown(),
  webauthnCredential: LegacyCredentialSchema,
});
export type LegacyPasskey = Static<typeof LegacyPasskeySchema>;

function factorOf<T extends TSchema>(kind: T) {
  return Type.Object({
    id: Type.String(),
    /** RFC 3339. */
    createdAt: Type.String(),
    kind,
  });
}

const LegacyFactorSchema = factorOf(
  Type.Union([LegacyKeypairSchema, LegacyAccountSchema, LegacyPasskeySchema]),
);
export type LegacyFactor = Static<typeof LegacyFactorSchema>;
const LegacySyncFactorSchema = factorOf(LegacyKeypairSchema);
export type LegacySyncFactor = Static<typeof LegacySyncFactorSchema>;

/** Part of the name of an object. With a slash or dots it could name one of another backup, or the metadata. */
const ArchiveId = Type.String({ pattern: "^[A-Za-z0-9_-]{1,128}$" });

const LegacyMetadataSchema = Type.Object({
  id: Type.String(),
  factors: Type.Array(LegacyFactorSchema),
  syncFactors: Type.Array(LegacySyncFactorSchema),
  keys: Type.Array(EncryptionKeySchema),
  manifestHash: Type.String(),
  archiveId: Type.Optional(Type.Union([ArchiveId, Type.Null()])),
  encryptionPublicKey: OptionalText,
});
export type LegacyMetadata = Static<typeof LegacyMetadataSchema>;

/** Why a backup of the other service cannot be taken over. The message has nothing of its content. */
export class LegacyProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = "LegacyProblem";
  }
}

const compiled = memoise(() => TypeCompiler.Compile(LegacyMetadataSchema));
const compiledCredential = memoise(() => TypeCompiler.Compile(LegacyCredentialSchema));

/** Whether a stored member is a passkey as the other service stores it. */
export function isLegacyCredential(value: unknown): value is LegacyCredential {
  return compiledCredential().Check(value);
}

/** Reads stored metadata. @throws LegacyProblem when they are not those of this backup. */
export function readLegacyMetadata(backupId: string, text: string): LegacyMetadata {
  const metadata = parsed(text);
  if (!compiled().Check(metadata)) {
    const [first] = compiled().Errors(metadata);
    throw new LegacyProblem(`the metadata cannot be read at ${first?.path || "/"}: ${first?.message}`);
  }
  if (metadata.id !== backupId) throw new LegacyProblem("the metadata is that of another backup");
  return metadata;
}

function parsed(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LegacyProblem("the metadata is not JSON"); // an error of the parser would quote it
  }
  const ambiguity = ambiguityIn(text);
  if (ambiguity !== null) throw new LegacyProblem(`the metadata ${ambiguity}`);
  return value;
}
