/** Backups as the other service stores them, in every form that it has written, whose factors the test holds the keys of. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { JsonObject, JsonValue } from "../../src/storage/contract.ts";
import { createFactorKeypair, type FactorKeypair } from "./factor-keypair.ts";
import {
  type Account,
  type Keypair,
  type MainFactor,
  newAccount,
  newKeypair,
  newPasskey,
  type Passkey,
} from "./factors.ts";
import type { OidcIssuer } from "./oidc-issuer.ts";
import type { BinaryEncoding } from "./software-authenticator.ts";

export interface LegacyUser {
  readonly id: string;
  readonly metadata: JsonObject;
  readonly content: Uint8Array;
  readonly ciphertextKey: string;
  readonly rows: readonly { readonly key: string; readonly lastUsedAt?: number }[];
  readonly mains: readonly MainFactor[];
  readonly syncs: readonly FactorKeypair[];
  /** In the form of this service. */
  readonly manifestHash: string;
}

/** A main factor and its `kind` as the other service stores it. */
export interface LegacyFactor {
  readonly factor: MainFactor;
  readonly kind: JsonObject;
}

export interface LegacyUserOptions {
  readonly id?: string;
  /** `null`: the backup is from before there were archives. */
  readonly archiveId?: string | null;
  readonly mains?: readonly LegacyFactor[];
  readonly syncs?: number;
  readonly keys?: readonly JsonObject[];
  /** How the manifest hash is written, given its 64 lower-case digits. */
  readonly writeHash?: (hash: string) => string;
  /** How the times of factors are written. */
  readonly createdAt?: string;
  readonly lastUsedAt?: number;
  readonly contentBytes?: number;
  /** Further members of the metadata. */
  readonly more?: JsonObject;
}

const KEYS: readonly JsonObject[] = [
  { kind: "PRF", encryptedKey: "UFJG" },
  { kind: "ICLOUD", encryptedKey: "SUNMT1VE" },
  {
    kind: "TURNKEY",
    encryptedKey: "VFVSTktFWQ==",
    turnkeyAccountId: "account",
    turnkeyUserId: "user",
    turnkeyPrivateKeyId: "key",
  },
];

const accountId = (digits: 64 | 66 = 66) => `backup_account_${randomBytes(digits / 2).toString("hex")}`;
const archive = () => `archive_${randomUUID().replaceAll("-", "")}`;

export function legacyUser({
  id = accountId(),
  archiveId = archive(),
  mains = [legacyKeypair()],
  syncs = 1,
  keys = KEYS,
  writeHash = (hash) => hash,
  createdAt = "2025-03-04T05:06:07.123456789Z",
  lastUsedAt,
  contentBytes = 100,
  more = {},
}: LegacyUserOptions = {}): LegacyUser {
  const content = randomBytes(contentBytes);
  const manifestHash = createHash("sha256").update(content).digest("hex");
  const keypairs = Array.from({ length: syncs }, () => createFactorKeypair());
  const listed = (kind: JsonObject) => ({ id: randomUUID(), kind, createdAt });
  const metadata = {
    id,
    factors: mains.map(({ kind }) => listed(kind)),
    syncFactors: keypairs.map(({ publicKey }) => listed({ kind: "EC_KEYPAIR", publicKey })),
    keys,
    manifestHash: writeHash(manifestHash),
    ...(archiveId === null ? {} : { archiveId }),
    ...more,
  };
  return {
    id,
    metadata,
    content,
    ciphertextKey: archiveId === null ? `${id}/backup` : `${id}/backups/${archiveId}`,
    rows: [
      ...mains.map(({ factor }) => ({ key: `MAIN#${factor.ref.key}` })),
      ...keypairs.map(({ publicKey }) => ({
        key: `SYNC#EC_KEYPAIR|${publicKey}`,
        ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
      })),
    ],
    mains: mains.map(({ factor }) => factor),
    syncs: keypairs,
    manifestHash,
  };
}

export function legacyKeypair(factor: Keypair = newKeypair()): LegacyFactor {
  return { factor, kind: { kind: "EC_KEYPAIR", publicKey: factor.keypair.publicKey } };
}

/** @param form `older` has the whole e-mail address, `newer` a mask of it. */
export function legacyAccount(
  provider: "GOOGLE" | "APPLE",
  issuer: OidcIssuer,
  form: "older" | "newer",
  factor: Account = newAccount(provider, issuer),
): LegacyFactor {
  const email =
    form === "older"
      ? { email: factor.email }
      : { maskedEmail: `${factor.email.slice(0, 2)}***@mail.example.com` };
  const account = { kind: provider, sub: factor.sub, ...email };
  return { factor, kind: { kind: "OIDC_ACCOUNT", account, turnkeyProviderId: "provider" } };
}

export interface LegacyPasskeyOptions {
  readonly encoding?: BinaryEncoding;
  /** How the algorithm is named. */
  readonly type?: string;
  readonly label?: string;
  readonly extensionResults?: JsonObject;
}

export function legacyPasskey(
  factor: Passkey = newPasskey(),
  {
    encoding = "base64url",
    type = factor.authenticator.algorithm,
    label,
    extensionResults = {},
  }: LegacyPasskeyOptions = {},
): LegacyFactor {
  const challenge = { publicKey: { challenge: randomBytes(32).toString("base64url") } };
  const registration = factor.registerWith(challenge, {
    encoding,
    clientExtensionResults: extensionResults,
  }).credential;
  return {
    factor,
    kind: {
      kind: "PASSKEY",
      ...(label === undefined ? {} : { label }),
      registration: JSON.parse(JSON.stringify(registration)),
      webauthnCredential: webauthnCredential(factor, encoding, type),
    },
  };
}

function webauthnCredential({ authenticator }: Passkey, encoding: BinaryEncoding, type: string): JsonObject {
  const members = authenticator.coseKey();
  const member = (label: number) => {
    const value = members.get(label);
    if (!(value instanceof Uint8Array)) throw new Error(`the key has no member ${label}`);
    return value;
  };
  const binary = (bytes: Uint8Array) => written(bytes, encoding);
  return {
    cred: {
      cred_id: binary(authenticator.credentialId),
      cred: {
        type_: type,
        key:
          authenticator.algorithm === "ES256"
            ? { EC_EC2: { curve: "SECP256R1", x: binary(member(-2)), y: binary(member(-3)) } }
            : { RSA: { n: binary(member(-1)), e: [...member(-2)] } },
      },
      counter: 0,
      transports: null,
      user_verified: true,
      backup_eligible: true,
      backup_state: true,
      registration_policy: "required",
      extensions: { cred_protect: "NotRequested", hmac_create_secret: "NotRequested", appid: "NotRequested" },
      attestation: { data: "None", metadata: "None" },
      attestation_format: "none",
    },
  };
}

function written(bytes: Uint8Array, encoding: BinaryEncoding): JsonValue {
  const base64 = Buffer.from(bytes).toString("base64");
  switch (encoding) {
    case "base64url":
      return Buffer.from(bytes).toString("base64url");
    case "padded-base64url":
      return base64.replaceAll("+", "-").replaceAll("/", "_");
    case "base64":
      return base64;
    case "unpadded-base64":
      return base64.replace(/=+$/, "");
    case "bytes":
      return [...bytes];
  }
}

/** A user for each form that the other service has written something in. */
export function usersOfEveryForm(issuer: OidcIssuer): LegacyUser[] {
  const rsa = (options?: LegacyPasskeyOptions) => legacyPasskey(newPasskey({ algorithm: "RS256" }), options);
  const encodings = ["base64url", "padded-base64url", "base64", "unpadded-base64", "bytes"] as const;
  return [
    legacyUser({ id: randomUUID(), archiveId: null, createdAt: "2024-01-02T03:04:05Z" }),
    legacyUser({ id: randomUUID().toUpperCase(), createdAt: "2024-01-02T03:04:05.6Z" }),
    legacyUser({ id: accountId(64), archiveId: null, writeHash: (hash) => `0x${hash}` }),
    legacyUser({ id: accountId(64), writeHash: (hash) => hash.toUpperCase(), lastUsedAt: 1_735_000_000 }),
    legacyUser({
      id: `backup_account_${randomBytes(33).toString("hex").toUpperCase()}`,
      writeHash: (hash) => `0x${hash.toUpperCase()}`,
      createdAt: "2024-01-02t03:04:05.123+02:00",
      more: { encryptionPublicKey: `0x${"AB".repeat(32)}`, future: { member: [1, "two"] } },
    }),
    ...encodings.map((encoding) => legacyUser({ mains: [legacyPasskey(newPasskey(), { encoding })] })),
    ...encodings.map((encoding) => legacyUser({ mains: [rsa({ encoding, label: "A phone" })] })),
    legacyUser({ mains: [legacyPasskey(newPasskey({ counter: 5 }), { type: "ECDSA_SHA256" })] }),
    legacyUser({ mains: [rsa({ type: "RSASSA_PKCS1_v1_5_SHA256" })] }),
    ...(["GOOGLE", "APPLE"] as const).flatMap((provider) =>
      (["older", "newer"] as const).map((form) =>
        legacyUser({ mains: [legacyAccount(provider, issuer, form)], archiveId: null }),
      ),
    ),
    legacyUser({
      mains: [
        legacyPasskey(newPasskey(), {
          extensionResults: {
            prf: { enabled: true, results: { first: "U0VDUkVU" } },
            credProps: { rk: true },
          },
        }),
        legacyAccount("GOOGLE", issuer, "older"),
        ...Array.from({ length: 10 }, () => legacyKeypair()),
      ],
      syncs: 30,
      keys: [
        ...KEYS,
        { kind: "PRF", encryptedKey: "U0VDT05E" },
        { kind: "ICLOUD", encryptedKey: "U0VDT05E" },
      ],
      contentBytes: 300_000,
    }),
  ];
}
