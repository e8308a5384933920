import type { ListedDeletion } from "../../storage/inspection.ts";
import { isKept } from "../kept-state.ts";
import { collectLeftovers } from "../leftovers.ts";
import { examineBlob } from "./blobs.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding } from "./findings.ts";

/** Each process of the service collects from time to time. */
const OVERDUE_AFTER_MS = 24 * 60 * 60 * 1000;

/** Checks the ciphertexts of a state that is kept of a deleted backup, as long as it can be brought back. */
export async function examineDeletion(
  examination: Examination,
  deletion: ListedDeletion,
): Promise<readonly Finding[]> {
  const { records, clock } = examination;
  const { backupId, kept, blobs } = deletion;
  if (kept === null || kept.keepUntilMs <= clock.nowMs()) return [];
  const ofWhat = `of the state that is kept since its deletion at ${new Date(kept.deletedAtMs).toISOString()}`;
  const findings: Finding[] = [];
  for (const ref of blobs) findings.push(...(await examineBlob(examination, backupId, ref, ofWhat)));
  // it may have been brought back or forgotten meanwhile
  return findings.length > 0 && (await isKept(records, deletion)) ? findings : [];
}

/**
 * Finds out whether deleted backups were not collected although the service ran long after their time, and collects them
 * if the examination repairs. In a copy, or while the service is stopped, they wait as well, and are not overdue.
 */
export async function* overdueCollections(examination: Examination): AsyncGenerator<Finding> {
  const { records, repair } = examination;
  const [[oldest], lastSeenMs] = await Promise.all([records.collection.due(1), records.lastSeenMs()]);
  if (oldest === undefined || lastSeenMs === null || lastSeenMs - oldest.dueMs < OVERDUE_AFTER_MS) return;
  const detail = `the oldest since ${new Date(oldest.dueMs).toISOString()}`;
  if (repair) await collectLeftovers(examination);
  yield { ...finding("collection-overdue", { backupId: oldest.backupId, detail }), repaired: repair };
}
