import type { ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import { BackupNotFoundError, UnknownFactorError } from "../errors.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { keypairProof, readWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Metadata } from "../wire.ts";

export interface MetadataOptions extends CallOptions {
  /** The backup that the factor is expected to be on: the errors then tell a removed factor from a deleted backup. */
  readonly backupId?: string;
}

export function retrieveMetadata(
  context: Context,
  sync: KeypairFactor,
  { backupId, ...options }: MetadataOptions = {},
): Promise<Metadata> {
  return readWithProof<ResponseOf<"retrieveMetadata">>(
    context,
    sync,
    () => keypairProof(context, "retrieve-metadata", sync, {}, options),
    (proof) => ({
      path: paths.retrieveMetadata,
      body: { ...proof, ...(backupId === undefined ? {} : { backupId }) },
      expects: {
        id: "string",
        keys: "array",
        factors: "array",
        syncFactors: "array",
        manifestHash: "string",
      },
    }),
    options,
  );
}

/** The metadata of the backup that a factor is on; `null` where it is on none. */
export async function metadataIfAny(
  context: Context,
  sync: KeypairFactor,
  options: CallOptions,
): Promise<Metadata | null> {
  try {
    return await retrieveMetadata(context, sync, options);
  } catch (error) {
    if (error instanceof UnknownFactorError || error instanceof BackupNotFoundError) return null;
    throw error;
  }
}
