import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { keypairProof, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { EncryptionKey, Metadata, Scope } from "../wire.ts";
import { metadataIfAny } from "./retrieve-metadata.ts";

export interface FactorRemoval {
  /** The `id` of the factor in the metadata. */
  readonly factorId: string;
  readonly scope: Scope;
  /** The key that only this main factor needed, as the metadata has it. */
  readonly encryptionKey?: EncryptionKey;
}

export interface FactorRemoved {
  /** Whether the last main factor was removed, and the backup with it. */
  readonly backupDeleted: boolean;
  /** `null` where there is none any more, or the device removed its own factor and lost the response. */
  readonly backupMetadata: Metadata | null;
}

export async function deleteFactor(
  context: Context,
  factor: KeypairFactor,
  { factorId, scope, encryptionKey }: FactorRemoval,
  options: CallOptions = {},
): Promise<FactorRemoved> {
  const proof = await keypairProof(context, "delete-factor", factor, { factorId }, options);
  const body: RequestOf<"deleteFactor"> = {
    ...proof,
    factorId,
    scope,
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
  };
  return sendWithProof<ResponseOf<"deleteFactor">>(
    context,
    { path: paths.deleteFactor, body, expects: { backupDeleted: "boolean" }, attested: true },
    {
      // only the removal of a main factor deletes a backup
      async tookEffect() {
        const backupMetadata = await metadataIfAny(context, factor, options);
        return { backupDeleted: scope === "MAIN" && backupMetadata === null, backupMetadata };
      },
    },
    options,
  );
}
