import { importMark } from "../../backups/legacy/import-mark.ts";
import { ownershipOf } from "../../backups/legacy/ownership.ts";
import type { SourceBackup } from "../../backups/legacy/read-backup.ts";
import { differingMembers, keptUntilOf } from "../../backups/legacy/store-backup.ts";
import type { BackupMetadata } from "../../backups/model.ts";
import { encodeHex, sha256 } from "../../crypto/encoding.ts";
import { BlobDamaged, type BlobRef, type FactorRef, type JsonObject } from "../../storage/contract.ts";
import type { RecordState } from "../doctor/record-state.ts";
import { readOfOneState } from "../unchanged-state.ts";
import { withCiphertext } from "./read-place.ts";
import { type ImportRun, type ImportStores, named } from "./run.ts";

/**
 * Compares a backup with its source: each byte of the ciphertext, the metadata and the index rows. What was deleted here
 * after it was taken over is no difference.
 *
 * @returns in what they differ.
 * @throws LegacyProblem when the source cannot be read.
 */
export async function verifyBackup(
  run: ImportRun,
  stores: ImportStores,
  first: SourceBackup,
): Promise<readonly string[]> {
  const backup = await withCiphertext(run, first);
  if (backup === null) return [];
  const { found, isOfOneState } = await readOfOneState(
    stores.records,
    backup.backupId,
    (state) => differences(run, stores, backup, state),
    (found) => found.length === 0,
  );
  return isOfOneState ? found : ["it changes all the time here"];
}

async function differences(
  run: ImportRun,
  stores: ImportStores,
  backup: SourceBackup & { readonly content: Uint8Array },
  { kind, record: stored }: RecordState,
): Promise<readonly string[]> {
  const { backupId, content } = backup;
  if (kind === "absent") {
    if (await stores.records.isConsumed([importMark(backupId)])) return [];
    const keptUntil = await keptUntilOf(stores.records, backupId);
    return [
      keptUntil === null
        ? "it is not here"
        : `it was deleted here, and can be brought back until ${keptUntil}`,
    ];
  }
  if (stored === null) return ["its metadata here are not JSON"];
  const { metadata, owned, open, taken } = await ownershipOf(run, backup);
  return [
    ...metadataDifference(stored.metadata, metadata),
    ...(await contentDifference(stores, stored.blob, content)),
    ...(await rowDifferences(stores, backupId, [...owned, ...open, ...taken])),
  ];
}

function metadataDifference(here: JsonObject, there: BackupMetadata): string[] {
  const differing = differingMembers(here, there);
  return differing.length === 0 ? [] : [`the metadata differ from the source in ${differing.join(", ")}`];
}

async function contentDifference(
  { blobs }: ImportStores,
  blob: BlobRef,
  content: Uint8Array,
): Promise<string[]> {
  if (blob.sha256 !== encodeHex(sha256(content))) return ["the ciphertext differs from the source"];
  try {
    const stored = await blobs.get(blob);
    if (stored === null) return ["the ciphertext is missing here"];
    for await (const _piece of stored); // it ends only if all of it is sound
    return [];
  } catch (error) {
    if (error instanceof BlobDamaged) return ["the ciphertext is damaged here"];
    throw error;
  }
}

async function rowDifferences(
  { records }: ImportStores,
  backupId: string,
  factors: readonly FactorRef[],
): Promise<string[]> {
  const found = await Promise.all(factors.map((factor) => records.locate(factor, [])));
  return factors.flatMap((factor, index) => {
    const leadsTo = found[index]?.backupId ?? null;
    if (leadsTo === backupId) return [];
    return [`${named(factor)} leads to ${leadsTo === null ? "no backup" : "another backup"}`];
  });
}
