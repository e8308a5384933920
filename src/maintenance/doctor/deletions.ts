import { blobsOf } from "../../storage/contract.ts";
import type { ListedDeletion } from "../../storage/inspection.ts";
import { collectLeftovers } from "../leftovers.ts";
import { listedState } from "../listed-state.ts";
import { examineBlob } from "./blobs.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding } from "./findings.ts";
import { usable } from "./record-state.ts";

/** Each process of the service collects from time to time. */
const OVERDUE_AFTER_MS = 24 * 60 * 60 * 1000;

/** Checks metadata and ciphertexts of a deleted state, as long as it can be brought back. */
export async function examineDeletion(
  examination: Examination,
  deletion: ListedDeletion,
): Promise<readonly Finding[]> {
  const { records, counts } = examination;
  const { backupId, kept } = deletion;
  if (kept === null) return [];
  const ofWhat = `of the state that is kept since its deletion at ${new Date(kept.deletedAtMs).toISOString()}`;
  try {
    const state = await listedState(records, deletion);
    if (state === null) return [];
    counts.addMetadata(state.metadata);
    const findings: Finding[] = [];
    const { reason } = usable(backupId, state.metadata);
    if (reason !== null) findings.push({ ...reason, detail: `${ofWhat}: ${reason.detail}` });
    for (const ref of blobsOf(state))
      findings.push(...(await examineBlob(examination, backupId, ref, ofWhat)));
    // it may have been brought back or forgotten meanwhile
    return findings.length > 0 && (await listedState(records, deletion)) !== null ? findings : [];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // only texts that were stored are parsed
    return [finding("metadata-unreadable", { backupId, detail: `${ofWhat}: it is not JSON` })];
  }
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
