import type { ResponseOf } from "../../protocol/operations.ts";
import { paths } from "../../protocol/paths.ts";
import type { Context } from "../context.ts";
import { read } from "../proof.ts";
import type { CallOptions } from "../transport/connection.ts";
import type { FactorSummary } from "../wire.ts";

export interface BackupStatus {
  readonly backupId: string;
  /** The main factors, oldest first. */
  readonly factors: readonly FactorSummary[];
}

export function backupStatus(
  context: Context,
  backupId: string,
  options: CallOptions = {},
): Promise<BackupStatus> {
  return read<ResponseOf<"backupStatus">>(
    context,
    { path: paths.backupStatus, body: { backupId }, expects: { backupId: "string", factors: "array" } },
    options,
  );
}
