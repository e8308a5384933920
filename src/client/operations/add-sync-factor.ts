import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { keypairProof, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import { retrieveMetadata } from "./retrieve-metadata.ts";

export interface SyncFactorAddition {
  /** What the recovery returned. */
  readonly syncFactorToken: string;
  /** The `id` of the sync factor that the new one replaces. */
  readonly replaces?: string;
  readonly encryptionPublicKey?: string;
}

export async function addSyncFactor(
  context: Context,
  factor: KeypairFactor,
  { syncFactorToken, replaces, encryptionPublicKey }: SyncFactorAddition,
  options: CallOptions = {},
): Promise<{ readonly backupId: string }> {
  const proof = await keypairProof(context, "add-sync-factor", factor, {}, options);
  const body: RequestOf<"addSyncFactor"> = {
    challengeToken: proof.challengeToken,
    syncFactor: proof.authorization,
    syncFactorToken,
    ...(replaces === undefined ? {} : { syncFactorToReplace: replaces }),
    ...(encryptionPublicKey === undefined ? {} : { encryptionPublicKey }),
  };
  return sendWithProof<ResponseOf<"addSyncFactor">>(
    context,
    { path: paths.addSyncFactor, body, expects: { backupId: "string" } },
    { tookEffect: async () => ({ backupId: (await retrieveMetadata(context, factor, options)).id }) },
    options,
  );
}
