/**
 * Records and blobs that belong together have the mark of one installation. Where they do not belong together, the blobs
 * that no record refers to are another installation's backups, and must not be deleted.
 */

import { deletedStates } from "../backups/deleted-states.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { typed } from "../runtime/program.ts";
import { type BackupRecord, blobsOf, type RecordStore, StorageUnavailable } from "../storage/contract.ts";
import type { BlobInspection, InspectableStores, RecordInspection } from "../storage/inspection.ts";

/** Records and blobs of different installations; the message says what to do. */
export class InstallationMismatch extends StorageUnavailable {
  constructor(message: string) {
    super(`${message}. ${ADVICE}`);
    this.name = "InstallationMismatch";
  }
}

const ADVICE =
  "DATA_DIR, or BACKUP_S3_BUCKET and the DYNAMODB_TABLE_ variables, must name the stores of one installation";
const IF_RESTORED = `If these records or blobs were restored from a copy and do belong together, run \`${typed("doctor")} --restored\``;

/** How many records are compared with the blobs where only the records have a mark. */
const SAMPLE = 20;

/**
 * Marks records and blobs as one installation, or requires that they are one. Where neither has a mark, as in stores of
 * earlier versions, both are marked. Where only one has a mark, as after a crash between the two, the other is marked if
 * it is empty and was never in service, or if blobs and records refer to each other. Notes a restore where the records
 * are of an earlier time than the blobs. Safe when several processes start at the same time.
 *
 * @throws InstallationMismatch; StorageUnavailable.
 */
export async function joinInstallation(
  stores: InspectableStores,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  await join(stores, random);
  await noteOlderRecords(stores, clock);
}

/** Remembers that the installation is in service now, so that records are recognised that are of an earlier time. */
export async function markInService({ records, blobs }: InspectableStores, clock: Clock): Promise<void> {
  const nowMs = clock.nowMs();
  await records.markSeen(nowMs);
  await blobs.markSeen(nowMs); // last: it must not be later than the records' time
}

/** The records were restored from a copy, whatever made it, if they were last in service before the blobs were. */
async function noteOlderRecords({ records, blobs }: InspectableStores, clock: Clock): Promise<void> {
  const ofBlobs = (await blobs.lastSeenMs()) ?? 0;
  const ofRecords = (await records.lastSeenMs()) ?? 0;
  if (ofRecords >= ofBlobs) return;
  const isNoted = (await records.restores()).some(({ restoredAtMs }) => restoredAtMs >= ofBlobs);
  if (!isNoted)
    await records.noteRestore({ copiedAtMs: ofRecords, restoredAtMs: Math.max(clock.nowMs(), ofBlobs) });
}

async function join(stores: InspectableStores, random: Random): Promise<void> {
  const { records, blobs } = stores;
  // The records are marked first: where the blobs have a mark, the records have the same mark by now.
  const ofBlobs = await blobs.installationId();
  const ofRecords = await records.installationId();
  if (ofBlobs !== null && ofRecords !== null) return requireSame(ofRecords, ofBlobs);
  if (ofBlobs !== null && !(await isEmpty(blobs)))
    throw new InstallationMismatch(
      `the blobs belong to the installation ${ofBlobs} and the records have no mark. ${IF_RESTORED}`,
    );
  if (ofRecords !== null && !(await mayBelongTogether(stores))) {
    // a process that starts at the same time may have marked them since, and served
    if ((await blobs.installationId()) === null)
      throw new InstallationMismatch(
        `the records belong to the installation ${ofRecords}, the blobs have no mark and are not those of these records. ${IF_RESTORED}`,
      );
  }
  await markBoth(stores, ofRecords ?? ofBlobs ?? random.uuid());
}

/**
 * Requires that records and blobs do not have the marks of two installations; marks nothing.
 *
 * @throws InstallationMismatch; StorageUnavailable.
 */
export async function requireOneInstallation({ records, blobs }: InspectableStores): Promise<void> {
  const [ofRecords, ofBlobs] = await Promise.all([records.installationId(), blobs.installationId()]);
  if (ofRecords !== null && ofBlobs !== null) requireSame(ofRecords, ofBlobs);
}

/**
 * Marks records and blobs as one installation because an operator says that they belong together, and notes that the
 * records are an older state: no blob is deleted that may be younger, and no proof is accepted that is older than now.
 *
 * @throws InstallationMismatch when each has a mark already, and they differ; StorageUnavailable.
 */
export async function declareRestored(
  stores: InspectableStores,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  const { records, blobs } = stores;
  await markBoth(stores, (await records.installationId()) ?? (await blobs.installationId()) ?? random.uuid());
  let copiedAtMs = 0;
  for await (const { changedAtMs } of records.list()) copiedAtMs = Math.max(copiedAtMs, changedAtMs ?? 0);
  for await (const { kept } of records.listDeleted())
    copiedAtMs = Math.max(copiedAtMs, kept?.deletedAtMs ?? 0);
  // The clock of the operator's machine may be behind; the restore came after the blobs were in service.
  const restoredAtMs = Math.max(clock.nowMs(), (await blobs.lastSeenMs()) ?? 0);
  await records.noteRestore({ copiedAtMs, restoredAtMs });
}

async function markBoth({ records, blobs }: InspectableStores, id: string): Promise<void> {
  const ofRecords = await records.markInstallation(id);
  requireSame(ofRecords, await blobs.markInstallation(ofRecords));
}

function requireSame(ofRecords: string, ofBlobs: string): void {
  if (ofRecords !== ofBlobs)
    throw new InstallationMismatch(
      `the records belong to the installation ${ofRecords} and the blobs to ${ofBlobs}`,
    );
}

async function mayBelongTogether({ records, blobs }: InspectableStores): Promise<boolean> {
  // Records that were in service had marked blobs: if there are none, this is another place, or a disk is not mounted.
  if (await isEmpty(blobs)) return (await records.lastSeenMs()) === null;
  let compared = 0;
  for await (const { key, backupId } of blobs.list()) {
    if (backupId === null) return await holdsBlobsOf(records, blobs);
    if (await refersTo(records, backupId, key)) return true;
    if (++compared === SAMPLE) break;
  }
  return false;
}

async function refersTo(records: RecordStore, backupId: string, key: string): Promise<boolean> {
  const has = (state: BackupRecord) => blobsOf(state).some((blob) => blob.key === key);
  const stored = await records.read(backupId);
  if (stored !== null && has(stored)) return true;
  for await (const state of deletedStates(records, backupId)) if (has(state)) return true;
  return false;
}

/** Called only where blobs do not say whose they are: a service on AWS may read records but not list them. */
async function holdsBlobsOf(records: RecordInspection, blobs: BlobInspection): Promise<boolean> {
  let compared = 0;
  for (const listing of [records.list(), records.listDeleted()])
    for await (const { blobs: refs } of listing) {
      for (const { key } of refs) if ((await blobs.sizeOf(key)) !== null) return true;
      if (++compared >= SAMPLE) break;
    }
  return false;
}

async function isEmpty(blobs: BlobInspection): Promise<boolean> {
  for await (const _blob of blobs.list()) return false;
  return true;
}
