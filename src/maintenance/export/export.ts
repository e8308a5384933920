/**
 * Writes backups in the layout of the other service: the ciphertext of each, the rows of its factors, then the metadata,
 * which name the ciphertext. So metadata that are there say that the rest is there too, and a run may be killed anywhere
 * and started again.
 */
import type { Issuers } from "../../backups/legacy/from-legacy.ts";
import { LegacyProblem } from "../../backups/legacy/metadata.ts";
import { readable } from "../../backups/legacy/read-backup.ts";
import { toLegacy } from "../../backups/legacy/to-legacy.ts";
import { type BackupMetadata, type Factor, factorRef } from "../../backups/model.ts";
import {
  BlobDamaged,
  type BlobRef,
  type BlobStore,
  type FactorRef,
  type RecordStore,
} from "../../storage/contract.ts";
import type { RecordInspection } from "../../storage/inspection.ts";
import { type LegacyTarget, LegacyUnusable, mayHaveLegacyRow } from "../../storage/legacy.ts";
import { concurrently } from "../concurrently.ts";
import type { RecordState } from "../doctor/record-state.ts";
import { type ImportFinding, named } from "../import/run.ts";
import { readOfOneState } from "../unchanged-state.ts";

/** How many backups are written at once. Each holds a ciphertext in memory. */
const WIDTH = 8;

/** How many backups were dealt with. */
export interface ExportCounts {
  seen: number;
  exported: number;
  /** Written by an earlier run, and the same since. */
  alreadyThere: number;
}

export interface ExportRun {
  readonly records: RecordStore & Pick<RecordInspection, "list">;
  readonly blobs: BlobStore;
  readonly target: LegacyTarget;
  readonly issuers: Issuers;
  /** Whether to write over backups that are there in another state. */
  readonly replace: boolean;
  /** Whether to write nothing. */
  readonly dryRun: boolean;
  readonly counts: ExportCounts;
}

/**
 * Writes every backup that is not there yet, and yields what is wrong with those that it does not write, or not whole.
 *
 * @throws StorageUnavailable when a store does not respond; then the next run writes the rest.
 */
export function exportBackups(run: ExportRun): AsyncGenerator<ImportFinding> {
  return concurrently(run.records.list(), WIDTH, async ({ backupId }) => {
    run.counts.seen += 1;
    const problems = await exportBackup(run, backupId).catch((error: unknown) => {
      if (error instanceof LegacyProblem) return [error.message];
      throw error;
    });
    return problems.map((problem) => ({ backupId, problem }));
  });
}

async function exportBackup(run: ExportRun, backupId: string): Promise<readonly string[]> {
  const { target, dryRun, counts } = run;
  const { found, isOfOneState } = await readOfOneState(
    run.records,
    backupId,
    (state) => whatToWrite(run, backupId, state),
    (found) =>
      found === null || (typeof found.content !== "string" && found.rows.every(({ isHere }) => isHere)),
  );
  if (found === null) return [];
  const { rows, archiveId, text, content } = found;
  if (!isOfOneState) throw new LegacyProblem("it changes all the time");
  if (typeof content === "string") throw new LegacyProblem(`the ciphertext is ${content}`);
  if (dryRun) {
    counts.exported += 1;
    return [];
  }
  await target.putCiphertext(backupId, archiveId, content);
  const problems = await putRows(run, backupId, rows);
  await target.putMetadata(backupId, text);
  counts.exported += 1;
  return problems;
}

/** `null`: nothing, since it is there or was deleted here since it was listed. */
async function whatToWrite(run: ExportRun, backupId: string, { kind, record }: RecordState) {
  const { target, issuers, replace, counts } = run;
  if (kind === "absent") return null;
  if (record === null) throw new LegacyProblem("the metadata are not JSON");
  const metadata = readable(record.metadata);
  const archiveId = archiveIdOf(record.blob);
  const text = JSON.stringify(toLegacy(metadata, archiveId, issuers));
  const there = await stateThere(target, backupId, text);
  if (there === "same") {
    counts.alreadyThere += 1;
    return null;
  }
  if (there === "other" && !replace)
    throw new LegacyProblem("it is there in another state: --replace writes over it");
  const rows = await rowsOf(run, backupId, metadata);
  return { rows, archiveId, text, content: await contentOf(run, record.blob) };
}

async function stateThere(
  target: LegacyTarget,
  backupId: string,
  text: string,
): Promise<"none" | "same" | "other"> {
  try {
    const there = await target.metadata(backupId);
    if (there === null) return "none";
    return there === text ? "same" : "other";
  } catch (error) {
    if (error instanceof LegacyUnusable) return "other";
    throw error;
  }
}

interface Row {
  readonly ref: FactorRef;
  readonly factor: Factor;
  /** Whether it leads to the backup here. */
  readonly isHere: boolean;
}

function rowsOf(
  { records }: ExportRun,
  backupId: string,
  { factors, syncFactors }: BackupMetadata,
): Promise<readonly Row[]> {
  const rowOf = (scope: "MAIN" | "SYNC") => async (factor: Factor) => {
    const ref = factorRef(scope, factor);
    return { ref, factor, isHere: (await records.locate(ref, [])).backupId === backupId };
  };
  return Promise.all([...factors.map(rowOf("MAIN")), ...syncFactors.map(rowOf("SYNC"))]);
}

/** Writes the rows of the factors that lead to the backup here. */
async function putRows(
  { target }: ExportRun,
  backupId: string,
  rows: readonly Row[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { ref, factor, isHere } of rows) {
    if (!isHere) problems.push(`${named(ref)} does not lead to it here: its row was not written`);
    else if (!mayHaveLegacyRow(ref))
      problems.push(`${named(ref)} does not fit into a row of the table: it leads to nothing there`);
    else if (
      !(await target.putRow(ref, { backupId, createdAtMs: factor.createdAt * 1000, ...lastUse(factor) }))
    )
      problems.push(`${named(ref)} leads to another backup there: its row was left as it is`);
  }
  return problems;
}

function lastUse(factor: Factor & { readonly lastUsedAt?: unknown }) {
  return { lastUsedAt: typeof factor.lastUsedAt === "number" ? factor.lastUsedAt : null };
}

/** The same for the same content, so that a repeated run leaves nothing behind. */
function archiveIdOf({ sha256 }: BlobRef): string {
  return `archive_${sha256.slice(0, 32)}`;
}

async function contentOf({ blobs }: ExportRun, blob: BlobRef): Promise<Uint8Array | "missing" | "damaged"> {
  try {
    const stored = await blobs.get(blob);
    return stored === null ? "missing" : await new Response(stored).bytes();
  } catch (error) {
    if (error instanceof BlobDamaged) return "damaged";
    throw error;
  }
}
