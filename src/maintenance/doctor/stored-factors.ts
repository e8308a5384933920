import { allFactorRefs, type BackupMetadata } from "../../backups/model.ts";
import { appOf, storedFactor } from "../../storage/app-scope.ts";
import type { FactorRef } from "../../storage/contract.ts";
import type { RecordInspection } from "../../storage/inspection.ts";

/**
 * The factors that metadata lists, main factors first, as the index of the app has them.
 *
 * @param backupId as it is stored: it says which app the backup is of.
 */
export function storedFactors(
  records: Pick<RecordInspection, "asStored">,
  backupId: string,
  metadata: BackupMetadata,
): readonly FactorRef[] {
  const { app } = appOf(backupId);
  return allFactorRefs(metadata).map((factor) => records.asStored(storedFactor(app, factor)));
}
