/**
 * Copies a data folder while a service uses it: a snapshot of the database, and every ciphertext that it refers to.
 *
 * Ciphertexts never change, but are deleted soon after the commit that replaces them. So most are copied first, which
 * takes long. Then a snapshot of the database is opened, and the few ciphertexts that are new in it are opened as
 * files, which can be read after they were deleted. If all could be opened, the snapshot is copied. If one was deleted
 * already, a new snapshot is tried. After some attempts the service's writes are blocked for the milliseconds in which
 * the files are opened: then none is deleted, so that the copy ends under any load.
 *
 * In the target, ciphertexts are written before the database that refers to them and deleted after it is replaced. So
 * an interrupted copy leaves the earlier one complete.
 */
import { Database } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { chmod, copyFile, type FileHandle, open, readdir, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../../runtime/folders.ts";
import { requireOwnLog } from "../foreign-log.ts";
import { installationIdAt, writeInstallationId } from "../installation-file.ts";
import { BLOBS, DATABASE } from "../layout.ts";
import { markAsCopy } from "../marks.ts";
import { migrate, requireKnownSchema } from "../migrations.ts";
import { type BlobCopier, type BlobOutcome, openBlobCopier } from "./blobs.ts";
import { MARK } from "./mark.ts";
import { type Need, RecordsCopier } from "./records.ts";
import { references } from "./references.ts";
import { prepareTarget } from "./target.ts";

/** How many ciphertexts are copied at a time. */
const WIDTH = 8;
/** How many ciphertexts are opened for one snapshot; if there are more they are copied, and another one is tried. */
const MAX_OPEN = 200;
const ATTEMPTS_BEFORE_BLOCKING = 5;
/** One for each hex digit that a key can begin with. */
const SHARES = 16;
/** Why a ciphertext is lost, if the copied state needs it. */
const LOST_BECAUSE: Readonly<Record<BlobOutcome, string | null>> = {
  present: null,
  copied: null,
  vanished: "missing",
  damaged: "damaged",
};

export interface CopyOptions {
  /** The data folder; a service may be running on it. */
  readonly source: string;
  readonly target: string;
  /** Called after each ciphertext. */
  readonly onProgress?: (progress: CopyProgress) => void;
  /** Whether to verify every ciphertext of an earlier copy. Otherwise each run verifies one of 16 shares. */
  readonly verifyAll?: boolean;
  /** How many snapshots are tried before the service's writes are blocked. 5 by default. */
  readonly attemptsBeforeBlocking?: number;
  /** Replaces the copier of ciphertexts in tests. */
  readonly openBlobs?: typeof openBlobCopier;
}

export interface CopyProgress {
  readonly copiedBlobs: number;
  readonly copiedBytes: number;
  /** Those of an earlier copy. */
  readonly presentBlobs: number;
  /** How many of those were compared with their hash. */
  readonly verifiedBlobs: number;
}

export interface CopyResult extends CopyProgress {
  /** Ciphertexts of an earlier copy that were damaged since. They are among the copied ones. */
  readonly repaired: readonly string[];
  readonly prunedBlobs: number;
  /** Ciphertexts that the source has lost, or that are damaged there. The backups are in the copy without them. */
  readonly lost: readonly (Need & { readonly reason: string })[];
}

/**
 * Makes a copy, or brings an earlier one up to date. When this returns it is durable.
 *
 * @throws CopyRefused when the folder `target` cannot be copied to; ForeignLog; NewerFormat.
 */
export async function copyData(options: CopyOptions): Promise<CopyResult> {
  const { source, target, verifyAll = false, openBlobs = openBlobCopier } = options;
  await requireOwnLog(source);
  requireKnownDatabase(source);
  using folder = await prepareTarget(source, target);
  for (const name of await readdir(target))
    if (name.startsWith(`${DATABASE}.`)) await unlink(join(target, name)); // of an interrupted copy
  const { nextShare } = folder;
  // keys are random, so the shares are about equal
  const isVerified = (key: string) => verifyAll || Number.parseInt(key.slice(0, 1), SHARES) === nextShare;
  const blobs = await openBlobs(source, target, isVerified);
  const partial = join(target, `${DATABASE}.${randomUUID()}`);
  try {
    const { takenAtMs, ...result } = await copyState(options, partial, blobs);
    await blobs.sync();
    await copyOtherFiles(source, target);
    mark(partial, takenAtMs, (nextShare + 1) % SHARES);
    await sync(partial);
    folder.requireUntouched();
    await rename(partial, join(target, DATABASE));
    await syncDirectory(target);
    // last: no service could start on records without a mark and blobs with one
    const id = await installationIdAt(join(source, BLOBS));
    if (id !== null)
      await writeInstallationId(join(target, BLOBS), id, join(target, BLOBS, "tmp", randomUUID()));
    return { ...result, prunedBlobs: await prune(join(target, DATABASE), blobs) };
  } finally {
    await rm(partial, { force: true });
  }
}

/** @throws NewerFormat: this version does not know what else the database refers to. */
function requireKnownDatabase(source: string): void {
  using database = new Database(join(source, DATABASE), { readonly: true });
  requireKnownSchema(database);
}

async function copyState(
  { source, onProgress, attemptsBeforeBlocking = ATTEMPTS_BEFORE_BLOCKING }: CopyOptions,
  partial: string,
  blobs: BlobCopier,
) {
  using records = new RecordsCopier(join(source, DATABASE), partial);
  const progress = { copiedBlobs: 0, copiedBytes: 0, presentBlobs: 0, verifiedBlobs: 0 };
  const repaired: string[] = [];

  async function copyOne(need: Need, opened?: FileHandle): Promise<void> {
    const { key, size } = need.blob;
    const { outcome, wasVerified, wasDamaged } = await blobs.copy(need.blob, opened);
    records.addTried(key, LOST_BECAUSE[outcome]);
    if (outcome === "present") progress.presentBlobs += 1;
    if (wasVerified) progress.verifiedBlobs += 1;
    if (wasDamaged && outcome === "copied") repaired.push(key);
    if (outcome === "copied") {
      progress.copiedBlobs += 1;
      progress.copiedBytes += size;
    }
    onProgress?.(progress);
  }

  async function copyAll(needs: readonly Need[]): Promise<void> {
    for (let start = 0; start < needs.length; start += WIDTH)
      await Promise.all(needs.slice(start, start + WIDTH).map((need) => copyOne(need)));
  }

  for (const page of records.needs()) await copyAll(page);
  for (let attempt = 0; ; attempt++) {
    const { needs, opened } = await records.inSnapshot(async () => {
      const found = await openNeeds(records, blobs, attempt >= attemptsBeforeBlocking);
      if (found.opened !== null) records.copySnapshot();
      return found;
    });
    if (opened === null) {
      await copyAll(needs);
      continue;
    }
    for (const [index, need] of needs.entries()) await copyOne(need, opened[index]);
    break;
  }
  return { ...progress, repaired, lost: records.lost(), takenAtMs: records.takenAtMs };
}

/** The ciphertexts that a snapshot still needs, opened; `opened` is `null` if that is not possible. */
async function openNeeds(
  records: RecordsCopier,
  blobs: BlobCopier,
  blocksWrites: boolean,
): Promise<{ readonly needs: readonly Need[]; readonly opened: readonly FileHandle[] | null }> {
  using _block = blocksWrites ? records.blockWrites() : null;
  const needs = records.missing(MAX_OPEN);
  return { needs, opened: needs.length > MAX_OPEN ? null : await openAll(needs, blobs) };
}

/** `null` when one was deleted; then none stays open. */
async function openAll(needs: readonly Need[], blobs: BlobCopier): Promise<readonly FileHandle[] | null> {
  const files = await Promise.all(needs.map(({ blob }) => blobs.open(blob)));
  const opened = files.filter((file) => file !== null);
  if (opened.length === files.length) return opened;
  await Promise.all(opened.map((file) => file.close()));
  return null;
}

/** Marks a database as a copy. Migrates it first, since databases of early versions have no table of marks. */
function mark(path: string, takenAtMs: number, nextShare: number): void {
  using database = new Database(path, { readwrite: true });
  database.run("PRAGMA synchronous = OFF"); // the file is synced as a whole
  migrate(database);
  markAsCopy(database, takenAtMs, nextShare);
}

/** Copies the other files in the data folder, such as a generated challenge token key. */
async function copyOtherFiles(source: string, target: string): Promise<void> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith(DATABASE) || entry.name === MARK) continue;
    const partial = join(target, `${DATABASE}.${randomUUID()}`); // the next copy deletes files of such a name
    await copyFile(join(source, entry.name), partial);
    await chmod(partial, 0o600);
    await sync(partial);
    await rename(partial, join(target, entry.name));
  }
}

async function prune(database: string, blobs: BlobCopier): Promise<number> {
  using records = new Database(database, { readonly: true });
  records.run("CREATE TEMP TABLE needed (key TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID");
  records.run(`INSERT OR IGNORE INTO needed SELECT key FROM (${references(records, "main")})`);
  const needed = records.query("SELECT 1 FROM needed WHERE key = ?");
  return await blobs.prune((key) => needed.get(key) !== null);
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.sync();
}
