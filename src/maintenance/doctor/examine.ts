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
import { Counts, type Examination, WIDTH } from "./examination.ts";
import type { Finding, FindingKind } from "./findings.ts";
import { examineIndexRow } from "./index-rows.ts";
import { BackupsWithoutRows, sharedFactors } from "./missing-rows.ts";
import { examineRecord, examineRows } from "./records.ts";
import { unreferencedBlobs } from "./unreferenced-blobs.ts";
import { waitingEvents } from "./waiting-events.ts";

/** As {@link WIDTH}, where blobs are read: the store has few permits for large ones, and over a slow link the wait would time out. */
const VERIFYING_WIDTH = 4;
/** By how much the clocks of machines may differ, with time to spare. */
const CLOCKS_DIFFER_MS = 60 * 60 * 1000;
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
  const { records, restores, random, repair, counts, interrupted } = examination;
  if (interrupted?.place.part !== "records") yield* examineIndex(examination);

  const scan = new UnreferencedBlobs(examination, restores);
  const foundInRecords = new Set<FindingKind>(interrupted?.found);
  const lacking = new BackupsWithoutRows(random, interrupted?.areRowsMissing ?? false);
  const passes: Passes = { scan, lacking, reported: new Set() };
  for (const part of [recordsChangedSince, examineRecords, examineDeletions])
    for await (const found of part(examination, passes)) {
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

interface Passes {
  readonly scan: UnreferencedBlobs;
  readonly lacking: BackupsWithoutRows;
  /** The backups whose findings the pass over changed records has yielded. */
  readonly reported: Set<string>;
}

async function* examineIndex(examination: Examination): AsyncGenerator<Finding> {
  const { repair, reached, interrupted } = examination;
  if (repair && !(await indexBelongsToRecords(examination)))
    for await (const found of indexRows({ ...examination, repair: false }))
      yield { ...found, remedy: null, detail: TOO_MANY_ROWS };
  else yield* indexRows(examination);
  reached?.({
    place: { part: "records", after: null },
    areRowsMissing: interrupted?.areRowsMissing ?? false,
  });
}

/** An app that is not served any more keeps what it has. */
function countUnknownApp({ servedScopes, counts: { ofUnknownApps } }: Examination, backupId: string): void {
  const { app } = appOf(backupId);
  if (!servedScopes.has(app)) ofUnknownApps.set(app, (ofUnknownApps.get(app) ?? 0) + 1);
}

/**
 * Where an interrupted examination goes on: passes over all records for the scan, and examines those that have changed since
 * that one began, wherever they are in the list.
 */
async function* recordsChangedSince(
  examination: Examination,
  { scan, lacking, reported }: Passes,
): AsyncGenerator<Finding> {
  const { records, interrupted, verify, counts } = examination;
  if (interrupted?.place.part !== "records" || interrupted.place.after === null) return;
  const sinceMs = interrupted.startedAtMs - CLOCKS_DIFFER_MS;
  const again = { ...examination, counts: new Counts() };
  yield* concurrently(records.list(), widthOf(verify), async (record) => {
    scan.add(record);
    if ((record.changedAtMs ?? 0) < sinceMs) return [];
    await examination.pace();
    const findings = await examineRecord(again, record.backupId, lacking);
    if (findings.length > 0) reported.add(record.backupId);
    return findings;
  });
  counts.busyBackups += again.counts.busyBackups;
}

function examineRecords(
  examination: Examination,
  { scan, lacking, reported }: Passes,
): AsyncGenerator<Finding> {
  const { records, verify, counts, pace, reached, interrupted } = examination;
  const place = interrupted?.place;
  const after = place?.part === "records" ? place.after : null;
  return concurrently(
    records.list(after ?? undefined),
    widthOf(verify),
    async (record) => {
      counts.backups += 1;
      countUnknownApp(examination, record.backupId);
      if (after === null) scan.add(record);
      await pace();
      const findings = await examineRecord(examination, record.backupId, lacking);
      return reported.has(record.backupId) ? [] : findings;
    },
    reached &&
      (({ backupId }) =>
        reached({ place: { part: "records", after: backupId }, areRowsMissing: lacking.areThere })),
  );
}

function examineDeletions(examination: Examination, { scan }: Passes): AsyncGenerator<Finding> {
  const { records, verify, counts, pace } = examination;
  return concurrently(records.listDeleted(), widthOf(verify), async (deletion) => {
    if (deletion.kept !== null) {
      counts.deletedBackups += 1;
      countUnknownApp(examination, deletion.backupId);
    }
    scan.addDeletion(deletion);
    await pace();
    return examineDeletion(examination, deletion);
  });
}

function indexRows(examination: Examination): AsyncGenerator<Finding> {
  const { records, counts, pace, reached, interrupted } = examination;
  const place = interrupted?.place;
  const after = place?.part === "index" ? place.after : null;
  return concurrently(
    records.listFactors(after ?? undefined),
    WIDTH,
    async (entry) => {
      counts.indexRows += 1;
      await pace();
      return examineIndexRow(examination, entry);
    },
    reached && (({ factor }) => reached({ place: { part: "index", after: factor }, areRowsMissing: false })),
  );
}

function widthOf(verify: boolean): number {
  return verify ? VERIFYING_WIDTH : WIDTH;
}

/** With the index of another installation every row would be released. */
async function indexBelongsToRecords(examination: Examination): Promise<boolean> {
  const counts = new Counts();
  const rest = { ...examination, repair: false, counts, interrupted: null, reached: null };
  let wrong = 0;
  for await (const _found of indexRows(rest)) wrong += 1;
  return wrong <= FEW_ROWS || wrong * 2 <= counts.indexRows;
}
