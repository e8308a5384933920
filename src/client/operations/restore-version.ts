import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { keypairProof, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Metadata } from "../wire.ts";
import { retrieveMetadata } from "./retrieve-metadata.ts";

export interface Restoration {
  readonly versionId: string;
  /** The manifest hash that the app believes is current. */
  readonly currentManifestHash: string;
}

export interface Restored {
  readonly backupId: string;
  readonly backupMetadata: Metadata;
}

export async function restoreVersion(
  context: Context,
  factor: KeypairFactor,
  { versionId, currentManifestHash }: Restoration,
  options: CallOptions = {},
): Promise<Restored> {
  const proof = await keypairProof(context, "restore-version", factor, { versionId }, options);
  const body: RequestOf<"restoreVersion"> = { ...proof, versionId, currentManifestHash };
  return sendWithProof<ResponseOf<"restoreVersion">>(
    context,
    { path: paths.restoreVersion, body, expects: { backupId: "string", backupMetadata: "object" } },
    {
      async tookEffect() {
        const metadata = await retrieveMetadata(context, factor, options);
        return { backupId: metadata.id, backupMetadata: metadata };
      },
    },
    options,
  );
}
