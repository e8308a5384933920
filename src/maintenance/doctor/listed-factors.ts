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

/** The factors that the metadata lists, in stored form and each once, and those that repeat the key or id of another. */
export function listedFactors(records: RecordInspection, backupId: string, metadata: BackupMetadata) {
  const ids = [...metadata.factors, ...metadata.syncFactors].map(({ id }) => id);
  const seen = new Set<string>();
  const factors: FactorRef[] = [];
  const repeated: FactorRef[] = [];
  for (const [index, factor] of storedFactors(records, backupId, metadata).entries()) {
    const [key, id] = [`key ${factor.scope} ${factor.key}`, `id ${factor.scope} ${ids[index]}`];
    if (!seen.has(key)) factors.push(factor);
    if (seen.has(key) || seen.has(id)) repeated.push(factor);
    seen.add(key).add(id);
  }
  return { factors, repeated };
}
