import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { KeypairFactor } from "../factors/keypair.ts";
import { keypairProof, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";

export async function deleteBackup(
  context: Context,
  factor: KeypairFactor,
  options: CallOptions = {},
): Promise<void> {
  const body = await keypairProof(context, "delete-backup", factor, {}, options);
  await sendWithProof<null>(
    context,
    { path: paths.deleteBackup, body, expects: null },
    { tookEffect: async () => null },
    options,
  );
}
