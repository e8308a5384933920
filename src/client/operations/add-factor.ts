import type { ExistingFactorKind, NewFactor } from "../../protocol/add-factor.ts";
import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from "../base64.ts";
import { bindingDigest } from "../binding.ts";
import type { Context } from "../context.ts";
import { BackupClientError } from "../errors.ts";
import type { AccountSession } from "../factors/account.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import type { MainFactor } from "../factors/main-factor.ts";
import type { PasskeyFactor } from "../factors/passkey.ts";
import type { TurnkeyStampFactor } from "../factors/turnkey-stamp.ts";
import { concatenated } from "../hash.ts";
import { read, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Authorization, CreationOptions, Metadata, RequestOptions } from "../wire.ts";
import { type NewEncryptionKey, resolvedKey } from "./create.ts";
import { retrieveMetadata } from "./retrieve-metadata.ts";

export interface FactorAddition {
  /** Agrees to the new factor. An account that is both `existing` and `added` signs in once. */
  readonly existing: MainFactor | TurnkeyStampFactor;
  readonly added: MainFactor;
  /** Needed where the backup has no key of the kind that the new factor needs. */
  readonly encryptionKey?: NewEncryptionKey;
  /** Needed for an account. */
  readonly turnkeyProviderId?: string;
  /** Whether the existing factor authorises all that is added, not only the factor. By default so. */
  readonly binding?: boolean;
  /** The sync factor of the device: reads the metadata where the response was lost. */
  readonly sync?: KeypairFactor;
}

export interface FactorAdded {
  readonly factorId: string;
  readonly backupMetadata: Metadata;
}

/** A factor that is about to authorise: an account has signed in. */
type Ready =
  | KeypairFactor
  | PasskeyFactor
  | { readonly kind: "OIDC_ACCOUNT"; readonly session: AccountSession };

export async function addFactor(
  context: Context,
  { existing, added, encryptionKey, turnkeyProviderId, binding = true, sync }: FactorAddition,
  options: CallOptions = {},
): Promise<FactorAdded> {
  const newFactor = await ready(added);
  const existingFactor = existing === added ? newFactor : await ready(existing);
  const request: RequestOf<"addFactorChallenge"> = {
    newFactor: described(newFactor),
    existingFactorKind: PROOFS[existing.kind],
  };
  const asked = await read<ResponseOf<"addFactorChallenge">>(
    context,
    {
      path: paths.addFactorChallenge,
      body: request,
      expects: { existingFactorToken: "string", newFactorToken: "string" },
    },
    options,
  );
  const newFactorAuthorization = await register(newFactor, asked.newFactorChallenge);
  const encryptedBackupKey =
    encryptionKey === undefined ? undefined : await resolvedKey(encryptionKey, added);
  const material = { factor: newFactorAuthorization, turnkeyProviderId, encryptionKey: encryptedBackupKey };
  const digest = binding ? await bindingDigest(material, context.sha256) : null;
  const body: RequestOf<"addFactor"> = {
    ...(await agree(existingFactor, asked.existingFactorChallenge, digest)),
    existingFactorChallengeToken: asked.existingFactorToken,
    newFactorAuthorization,
    newFactorChallengeToken: asked.newFactorToken,
    ...(encryptedBackupKey === undefined ? {} : { encryptedBackupKey }),
    ...(turnkeyProviderId === undefined ? {} : { turnkeyProviderId }),
  };
  return sendWithProof<ResponseOf<"addFactor">>(
    context,
    { path: paths.addFactor, body, expects: { factorId: "string", backupMetadata: "object" } },
    {
      async tookEffect(lost) {
        if (sync === undefined) throw lost;
        const backupMetadata = await retrieveMetadata(context, sync, options);
        const factorId = idOf(newFactorAuthorization, backupMetadata);
        if (factorId === null) throw lost;
        return { factorId, backupMetadata };
      },
    },
    options,
  );
}

const PROOFS: Readonly<Record<FactorAddition["existing"]["kind"], ExistingFactorKind>> = {
  PASSKEY: "PASSKEY_ASSERTION",
  TURNKEY_STAMP: "PASSKEY",
  OIDC_ACCOUNT: "OIDC_ACCOUNT",
  EC_KEYPAIR: "EC_KEYPAIR",
};

function ready(factor: MainFactor): Promise<Ready>;
function ready(factor: FactorAddition["existing"]): Promise<Ready | TurnkeyStampFactor>;
async function ready(factor: FactorAddition["existing"]): Promise<Ready | TurnkeyStampFactor> {
  return factor.kind === "OIDC_ACCOUNT" ? { kind: factor.kind, session: await factor.signIn() } : factor;
}

function described(factor: Ready): NewFactor {
  switch (factor.kind) {
    case "PASSKEY":
      return { kind: "PASSKEY_REGISTRATION", ...factor.naming };
    case "OIDC_ACCOUNT":
      return { kind: "OIDC_ACCOUNT", oidcToken: factor.session.idToken };
    case "EC_KEYPAIR":
      return { kind: "EC_KEYPAIR", publicKey: factor.publicKey };
  }
}

async function register(factor: Ready, challenge: string | CreationOptions): Promise<Authorization> {
  if (factor.kind === "PASSKEY") {
    if (typeof challenge === "string") throw unexpected();
    return factor.register(challenge);
  }
  if (typeof challenge !== "string") throw unexpected();
  return signed(factor, decodeBase64(challenge));
}

/** The proof of the existing factor. @param digest of what is added, to authorise with the challenge. */
async function agree(
  factor: Ready | TurnkeyStampFactor,
  challenge: string | RequestOptions,
  digest: Uint8Array | null,
): Promise<Pick<RequestOf<"addFactor">, "existingFactorAuthorization" | "existingFactorTurnkeyActivity">> {
  const bound = (bytes: Uint8Array) => (digest === null ? bytes : concatenated(bytes, digest));
  if (factor.kind === "PASSKEY") {
    if (typeof challenge === "string") throw unexpected();
    const { publicKey } = challenge;
    const message = encodeBase64Url(bound(decodeBase64Url(publicKey.challenge)));
    const options = { ...challenge, publicKey: { ...publicKey, challenge: message } };
    return { existingFactorAuthorization: await factor.assert(options) };
  }
  if (typeof challenge !== "string") throw unexpected();
  const message = bound(decodeBase64(challenge));
  if (factor.kind !== "TURNKEY_STAMP") return { existingFactorAuthorization: await signed(factor, message) };
  const { activity, authorization } = await factor.authorize(message);
  return { existingFactorAuthorization: authorization, existingFactorTurnkeyActivity: activity };
}

async function signed(factor: Exclude<Ready, PasskeyFactor>, message: Uint8Array): Promise<Authorization> {
  if (factor.kind === "OIDC_ACCOUNT") return factor.session.authorize(message);
  const { kind, publicKey } = factor;
  return { kind, publicKey, signature: encodeBase64(await factor.sign(message)) };
}

/** A challenge of the other type than was asked for. */
function unexpected(): BackupClientError {
  return new BackupClientError("the service returned a challenge of another type");
}

/**
 * The id of the factor in the metadata. `null` where it is not there, or is one of several accounts of its provider: the
 * metadata does not have what a device knows of an account.
 */
function idOf(added: Authorization, { factors }: Metadata): string | null {
  const found = factors.filter(({ kind }) => isSame(kind, added));
  return (found.length === 1 && found[0]?.id) || null;
}

function isSame(listed: Metadata["factors"][number]["kind"], added: Authorization): boolean {
  if (listed.kind === "EC_KEYPAIR")
    return added.kind === "EC_KEYPAIR" && listed.publicKey === added.publicKey;
  if (listed.kind === "OIDC_ACCOUNT")
    return added.kind === "OIDC_ACCOUNT" && listed.account.kind === added.oidcToken.kind;
  const { id }: { id?: string } = added.kind === "PASSKEY" ? added.credential : {};
  return listed.credentialId === id;
}
