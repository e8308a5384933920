/**
 * Checks that what is stored fits together, and repairs what can safely be repaired. The service may run meanwhile: a
 * finding counts only if the record's revision did not change around it, and every repair of records is a commit at that
 * revision, so that a late repair changes nothing.
 *
 * However many backups there are, memory holds the few items being examined and what the scan for unreferenced blobs
 * needs (maintenance/unreferenced-blobs.ts). Findings are yielded at once and not kept.
 */
import { appOf } from "../../storage/app-scope.ts";
import { concurrently } from "../concurrently.ts";
import { UnreferencedBlobs } from "../unreferenced-blobs.ts";
import { examineDeletion, overdueCollections } from "./deletions.ts";
import { Counts, type Examination } from "./examination.ts";
import type { Finding, FindingKind } from "./findings.ts";
import { examineIndexRow } from "./index-rows.ts";
import { BackupsWithoutRows, sharedFactors } from "./listed-factors.ts";
import { examineRecord, examineRows } from "./records.ts";
import { unreferencedBlobs } from "./unreferenced-blobs.ts";
import { waitingEvents } from "./waiting-events.ts";

/** How many index rows or records are examined at a time; each waits for the stores most of the time. */
const WIDTH = 16;
/** The same where blobs are read: the store has few permits for large ones, and over a slow link the wait would time out. */
const VERIFYING_WIDTH = 4;
/** Up to this many index rows are released without checking whether the index belongs to these records. */
const FEW_ROWS = 10;

const TOO_MANY_ROWS = "most index rows are like this one: the records may be those of another installation";

/**
 * Examines everything that is stored. Index rows come first, since a row that is released may be what a backup that
 * lists the factor waits for.
 *
 * @throws StorageUnavailable when a store does not respond.
 */
export async function* examine(examination: Examination): AsyncGenerator<Finding> {
  const { records, restores, repair, verify, random, counts } = examination;

  if (repair && !(await indexBelongsToRecords(examination)))
    for await (const found of indexRows({ ...examination, repair: false }))
      yield { ...found, remedy: null, detail: TOO_MANY_ROWS };
  else yield* indexRows(examination);

  const scan = new UnreferencedBlobs(examination, restores);
  const foundInRecords = new Set<FindingKind>();
  const lacking = new BackupsWithoutRows(random, false);
  const ofRecords = concurrently(records.list(), verify ? VERIFYING_WIDTH : WIDTH, (record) => {
    counts.backups += 1;
    countUnknownApp(examination, record.backupId);
    scan.add(record);
    return examineRecord(examination, record.backupId, lacking);
  });
  for await (const found of ofRecords) {
    foundInRecords.add(found.kind);
    yield found;
  }

  const ofDeletions = concurrently(records.listDeleted(), verify ? VERIFYING_WIDTH : WIDTH, (deletion) => {
    if (deletion.kept !== null) {
      counts.deletedBackups += 1;
      countUnknownApp(examination, deletion.backupId);
    }
    scan.addDeletion(deletion);
    return examineDeletion(examination, deletion);
  });
  for await (const found of ofDeletions) {
    foundInRecords.add(found.kind);
    yield found;
  }

  if (lacking.areThere) {
    const mayBeShared = await sharedFactors(examination);
    yield* concurrently(records.list(), WIDTH, async ({ backupId }) =>
      lacking.mayHave(backupId) ? examineRows(examination, backupId, mayBeShared) : [],
    );
  }

  yield* unreferencedBlobs(examination, { scan, foundInRecords });
  yield* overdueCollections(examination);
  yield* waitingEvents(examination);
  counts.expiredRows = repair ? await records.sweepExpired() : await records.countExpired();
}

function indexRows(examination: Examination): AsyncGenerator<Finding> {
  return concurrently(examination.records.listFactors(), WIDTH, (entry) => {
    examination.counts.indexRows += 1;
    return examineIndexRow(examination, entry);
  });
}

/** An app that is not served any more keeps what it has. */
function countUnknownApp({ servedScopes, counts: { ofUnknownApps } }: Examination, backupId: string): void {
  const { app } = appOf(backupId);
  if (!servedScopes.has(app)) ofUnknownApps.set(app, (ofUnknownApps.get(app) ?? 0) + 1);
}

/** With the index of another installation every row would be released. */
async function indexBelongsToRecords(examination: Examination): Promise<boolean> {
  const counts = new Counts();
  let wrong = 0;
  for await (const _found of indexRows({ ...examination, repair: false, counts })) wrong += 1;
  return wrong <= FEW_ROWS || wrong * 2 <= counts.indexRows;
}
