import type { RequestOf, ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import type { MainFactor } from "../factors/main-factor.ts";
import { mainProof, sendWithProof } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { Metadata } from "../wire.ts";

export interface Undeleted {
  readonly backupId: string;
  /** `null` where the response was lost: a main factor cannot read metadata without recovering. */
  readonly backupMetadata: Metadata | null;
}

export async function undelete(
  context: Context,
  main: MainFactor,
  backupId: string,
  options: CallOptions = {},
): Promise<Undeleted> {
  const proof = await mainProof(context, "undelete", main, { backupId }, options);
  const body: RequestOf<"undelete"> = { ...proof, backupId };
  return sendWithProof<ResponseOf<"undelete"> | Undeleted>(
    context,
    { path: paths.undelete, body, expects: { backupId: "string", backupMetadata: "object" }, attested: true },
    { tookEffect: async () => ({ backupId, backupMetadata: null }) },
    options,
  );
}
