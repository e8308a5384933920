/**
 * Takes over the backups of the other service, or compares those that were taken over with their source. The source is only
 * read. What is torn there is reported and stops nothing else.
 *
 * Each backup is one commit, which also marks its id as taken over: so a run may be killed anywhere and started again, while
 * the service runs. What has changed or was deleted here since stays as it is; what has changed only in the source is
 * taken over again. However many backups there are, memory holds the few that are being read, a page of the list and
 * filters of fixed size (key-filter.ts).
 */
import { importMark } from "../../backups/legacy/import-mark.ts";
import { LegacyProblem } from "../../backups/legacy/metadata.ts";
import { type Ownership, ownershipOf } from "../../backups/legacy/ownership.ts";
import type { SourceBackup } from "../../backups/legacy/read-backup.ts";
import {
  earlierImport,
  isUntouched,
  leadingElsewhere,
  MAX_CLAIMS,
  refreshBackup,
  storeBackup,
} from "../../backups/legacy/store-backup.ts";
import { type LegacyPlace, LegacyUnusable, legacyRowKey } from "../../storage/legacy.ts";
import { concurrently } from "../concurrently.ts";
import { readState } from "../doctor/record-state.ts";
import { createKeyFilter, type KeyFilter } from "../key-filter.ts";
import { addRows } from "./add-rows.ts";
import { readPlace, withCiphertext } from "./read-place.ts";
import { type ImportFinding, type ImportRun, type ImportStores, named } from "./run.ts";
import { verifyBackup } from "./verify-backup.ts";

/** How many backups are read at a time. Each may take the memory of a ciphertext. */
const WIDTH = 8;

/**
 * Takes over every backup of the source that is not here yet.
 *
 * @throws StorageUnavailable when a store does not respond; then the next run takes over the rest.
 */
export async function* importBackups(run: ImportRun): AsyncGenerator<ImportFinding> {
  const { source, random } = run;
  const listed = createKeyFilter(random);
  const listedTwice = createKeyFilter(random);
  const unfinished = createKeyFilter(random);
  let unfinishedCount = 0;

  const importPlace = async (place: LegacyPlace): Promise<readonly string[]> => {
    run.counts.seen += 1;
    if (await isOfEarlierRun(run, place)) {
      run.counts.alreadyThere += 1;
      return [];
    }
    const backup = await readPlace(run, place);
    if (backup === null) return [];
    const ownership = await ownershipOf(run, backup);
    for (const factor of [...ownership.owned, ...ownership.open, ...ownership.taken]) {
      const key = legacyRowKey(factor);
      (listed.mayHave(key) ? listedTwice : listed).add(key);
    }
    const { problems, lacksRows } = await importBackup(run, backup, ownership);
    if (lacksRows || ownership.open.length > 0 || ownership.owned.length > MAX_CLAIMS) {
      unfinished.add(backup.backupId);
      unfinishedCount += 1;
    }
    return problems;
  };
  yield* findings(source.list(), importPlace);

  if (unfinishedCount > 0)
    yield* findings(source.list(), async ({ backupId, hasMetadata }) =>
      hasMetadata && unfinished.mayHave(backupId) ? addRows(run, backupId, listedTwice) : [],
    );
}

/**
 * Compares every backup of the source with what is here, but for those that {@link ImportRun.since} leaves out; writes
 * nothing.
 *
 * @throws as {@link importBackups}.
 */
export async function* verifyImport(run: ImportRun, stores: ImportStores): AsyncGenerator<ImportFinding> {
  const inSource = createKeyFilter(run.random);
  yield* findings(run.source.list(), async (place) => {
    run.counts.seen += 1;
    if (place.hasMetadata) inSource.add(place.backupId);
    if (await isOfEarlierRun(run, place)) return [];
    const backup = await readPlace(run, place);
    if (backup === null) return [];
    const problems = await verifyBackup(run, stores, backup);
    if (problems.length === 0) run.counts.alreadyThere += 1;
    return problems;
  });
  yield* goneFromSource(run, stores, inSource);
}

interface Imported {
  readonly problems: readonly string[];
  /** Whether factors that the table leads to the backup do not lead to it here. */
  readonly lacksRows: boolean;
}

async function importBackup(run: ImportRun, first: SourceBackup, ownership: Ownership): Promise<Imported> {
  const { stores, dryRun, counts } = run;
  const problems = ownership.taken.map(
    (factor) =>
      `${named(factor)} leads to another backup in the table, which lists it too or cannot be read: not to this one`,
  );
  const earlier = stores === null ? "none" : await earlierImport(stores, first, ownership);
  if (earlier === "settled") {
    counts.alreadyThere += 1;
    const lost = stores === null ? [] : await leadingElsewhere(stores, first.backupId, ownership.owned);
    return { problems, lacksRows: lost.length > 0 };
  }
  const backup = await withCiphertext(run, first);
  if (backup === null) return { problems: [], lacksRows: false };
  if (stores === null || dryRun) {
    counts.imported += 1;
    return { problems, lacksRows: false };
  }
  const current = backup.text === first.text ? ownership : await ownershipOf(run, backup);
  const target = { ...stores, clock: run.clock, random: run.random };
  const opened = { ...backup, content: [backup.content], client: "" };
  const { outcome, lost } = await (earlier === "none"
    ? storeBackup(target, opened, current)
    : refreshBackup(target, opened, current, earlier));
  counts[outcome] += 1;
  return { problems, lacksRows: lost.length > 0 };
}

/** Whether a backup was taken over before and its source is older than what this run is about. */
async function isOfEarlierRun({ stores, since }: ImportRun, place: LegacyPlace): Promise<boolean> {
  const { backupId, modifiedAtMs } = place;
  if (since === null || stores === null || modifiedAtMs === null || modifiedAtMs >= since) return false;
  return stores.records.isConsumed([importMark(backupId)]);
}

/**
 * The backups here that were taken over and left alone since, and that the source does not have. It is asked for each that
 * it did not list: a backup may have come there and been taken over since.
 */
async function* goneFromSource(
  { source }: ImportRun,
  { records }: ImportStores,
  inSource: KeyFilter,
): AsyncGenerator<ImportFinding> {
  for await (const record of records.list()) {
    const { backupId } = record;
    if (!isUntouched(record) || inSource.mayHave(backupId)) continue;
    if (!(await records.isConsumed([importMark(backupId)])) || (await isInSource(source, backupId))) continue;
    const { kind, record: current } = await readState(records, backupId);
    if (kind !== "absent" && (current === null || isUntouched(current)))
      yield { backupId, problem: "it was taken over, and is not in the source any more" };
  }
}

async function isInSource(source: ImportRun["source"], backupId: string): Promise<boolean> {
  try {
    return (await source.metadata(backupId)) !== null;
  } catch (error) {
    if (error instanceof LegacyUnusable) return true;
    throw error;
  }
}

function findings(
  places: AsyncIterable<LegacyPlace>,
  check: (place: LegacyPlace) => Promise<readonly string[]>,
): AsyncGenerator<ImportFinding> {
  return concurrently(places, WIDTH, async (place) => {
    const problems = await check(place).catch((error: unknown) => {
      if (error instanceof LegacyProblem) return [error.message];
      if (error instanceof SyntaxError) return ["its metadata here are not JSON"]; // no other text is parsed without a check
      throw error;
    });
    return problems.map((problem) => ({ backupId: place.backupId, problem }));
  });
}
