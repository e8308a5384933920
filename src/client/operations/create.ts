import { normalizedHex } from "../../protocol/hex.ts";
import type { RequestOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import { decodeBase64, encodeBase64 } from "../base64.ts";
import { requireContent } from "../content.ts";
import type { Context } from "../context.ts";
import type { AccountKey } from "../factors/account-key.ts";
import { type KeypairFactor, keypairAuthorization } from "../factors/keypair.ts";
import type { MainFactor } from "../factors/main-factor.ts";
import { encodeHex } from "../hash.ts";
import {
  type IssuedChallenge,
  keypairChallenge,
  keypairProof,
  passkeyChallenge,
  sendWithProof,
  sessionAuthorization,
} from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Authorization, CreationOptions, EncryptionKey, Metadata } from "../wire.ts";
import { metadataIfAny } from "./retrieve-metadata.ts";

/** An encrypted key, or what makes it with the secret of the passkey that was just made: `null` for other factors. */
export type NewEncryptionKey =
  | EncryptionKey
  | ((prf: Uint8Array<ArrayBuffer> | null) => EncryptionKey | Promise<EncryptionKey>);

export interface Creation {
  /** Can recover the backup. */
  readonly main: MainFactor;
  /** Stays on this device, and updates the backup. */
  readonly sync: KeypairFactor;
  /** Names the backup. A key that signs also proves that the name is the user's own. */
  readonly account: AccountKey | Pick<AccountKey, "backupAccountId">;
  /** The ciphertext: 1 byte to 15 MiB. */
  readonly content: Uint8Array;
  readonly encryptionKey: NewEncryptionKey;
  /** Identifies the content, 32 bytes as hex. By default the SHA-256 of `content`. */
  readonly manifestHash?: string;
  /** Needed for an account. */
  readonly turnkeyProviderId?: string;
  readonly encryptionPublicKey?: string;
}

export interface Created {
  readonly backupId: string;
  readonly backupMetadata: Metadata;
}

export async function create(
  context: Context,
  creation: Creation,
  options: CallOptions = {},
): Promise<Created> {
  const { main, sync, account, content, encryptionKey, turnkeyProviderId, encryptionPublicKey } = creation;
  requireContent(content);
  const manifestHash = creation.manifestHash ?? encodeHex(await context.sha256(content));
  const { asked, authorization } = await register(context, main, options);
  const joined = await keypairProof(context, "create", sync, {}, options);
  const payload: RequestOf<"create"> = {
    authorization,
    challengeToken: asked.token,
    initialEncryptionKey: await resolvedKey(encryptionKey, main),
    initialSyncFactor: joined.authorization,
    initialSyncChallengeToken: joined.challengeToken,
    manifestHash,
    backupAccountId: account.backupAccountId,
    ...(await ownership(account, asked)),
    ...(turnkeyProviderId === undefined ? {} : { turnkeyProviderId }),
    ...(encryptionPublicKey === undefined ? {} : { encryptionPublicKey }),
  };
  const look = async (): Promise<Created | null> => {
    const metadata = await metadataIfAny(context, sync, options);
    return metadata?.id === account.backupAccountId && metadata.manifestHash === normalizedHex(manifestHash)
      ? { backupId: metadata.id, backupMetadata: metadata }
      : null;
  };
  return sendWithProof<Created>(
    context,
    { path: paths.create, body: payload, content, expects: { backupId: "string", backupMetadata: "object" } },
    {
      look,
      async tookEffect(lost) {
        const found = await look();
        if (found === null) throw lost;
        return found;
      },
    },
    options,
  );
}

/** A new main factor solves a challenge. */
async function register(
  context: Context,
  main: MainFactor,
  options: CallOptions,
): Promise<{ readonly asked: IssuedChallenge<unknown>; readonly authorization: Authorization }> {
  switch (main.kind) {
    case "PASSKEY": {
      const asked = await passkeyChallenge<CreationOptions>(context, "create", main.naming, options);
      return { asked, authorization: await main.register(asked.challenge) };
    }
    case "OIDC_ACCOUNT": {
      const session = await main.signIn();
      const asked = await keypairChallenge(context, "create", {}, options);
      return { asked, authorization: await sessionAuthorization(session, asked.challenge) };
    }
    case "EC_KEYPAIR": {
      const asked = await keypairChallenge(context, "create", {}, options);
      return { asked, authorization: await keypairAuthorization(main, asked.challenge) };
    }
  }
}

async function ownership(
  account: Creation["account"],
  { backupAccountChallenge, backupAccountChallengeToken }: IssuedChallenge<unknown>,
) {
  if (
    !("sign" in account) ||
    backupAccountChallenge === undefined ||
    backupAccountChallengeToken === undefined
  )
    return {};
  const signature = await account.sign(decodeBase64(backupAccountChallenge));
  return { backupAccountChallengeToken, backupAccountSignature: encodeBase64(signature) };
}

/** The encrypted key, made with the secret of a passkey where it is to be made. */
export async function resolvedKey(key: NewEncryptionKey, main: MainFactor): Promise<EncryptionKey> {
  return typeof key === "function" ? key(main.kind === "PASSKEY" ? main.prf : null) : key;
}
