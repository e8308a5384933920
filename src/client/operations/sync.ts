import { normalizedHex } from "../../protocol/hex.ts";
import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import { requireContent } from "../content.ts";
import type { Context } from "../context.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { encodeHex } from "../hash.ts";
import { keypairProof, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import { metadataIfAny } from "./retrieve-metadata.ts";

export interface Update {
  /** The new ciphertext: 1 byte to 15 MiB. */
  readonly content: Uint8Array;
  /** The manifest hash that the app believes is current. */
  readonly currentManifestHash: string;
  /** By default the SHA-256 of `content`. */
  readonly newManifestHash?: string;
  readonly encryptionPublicKey?: string;
}

export interface Updated {
  readonly backupId: string;
  /** What is current now, in lower-case hex. */
  readonly manifestHash: string;
}

export async function sync(
  context: Context,
  factor: KeypairFactor,
  { content, currentManifestHash, encryptionPublicKey, ...update }: Update,
  options: CallOptions = {},
): Promise<Updated> {
  requireContent(content);
  const newManifestHash = update.newManifestHash ?? encodeHex(await context.sha256(content));
  const manifestHash = normalizedHex(newManifestHash);
  const payload: RequestOf<"sync"> = {
    ...(await keypairProof(context, "sync", factor, {}, options)),
    currentManifestHash,
    newManifestHash,
    ...(encryptionPublicKey === undefined ? {} : { encryptionPublicKey }),
  };
  // Versions say nothing: one of them may have had this hash before.
  const look = async () => {
    const metadata = await metadataIfAny(context, factor, options);
    return metadata?.manifestHash === manifestHash ? { backupId: metadata.id } : null;
  };
  const { backupId } = await sendWithProof<ResponseOf<"sync">>(
    context,
    { path: paths.sync, body: payload, content, expects: { backupId: "string" } },
    {
      look,
      async tookEffect(lost) {
        const metadata = await metadataIfAny(context, factor, options);
        if (metadata === null) throw lost;
        return { backupId: metadata.id };
      },
    },
    options,
  );
  return { backupId, manifestHash };
}
