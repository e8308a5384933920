/** What must hold of everything that is stored, whatever happened before. */
import { createHash } from "node:crypto";
import { deletedStates } from "../../src/backups/deleted-states.ts";
import { allFactorRefs, readMetadata } from "../../src/backups/model.ts";
import { listedState } from "../../src/maintenance/listed-state.ts";
import { appOf, storedFactor, storedId } from "../../src/storage/app-scope.ts";
import type { BackupRecord, FactorRef } from "../../src/storage/contract.ts";
import type { InspectableRecords, InspectableStores } from "../../src/storage/inspection.ts";

/** What to check besides the listings, with ids as the stores have them. */
export interface Known {
  readonly backupIds: readonly string[];
  readonly factors: readonly FactorRef[];
}

/** What an app knows, as the stores have it. @param scope `null`: of the app without a scope. */
export function knownIn(scope: string | null, { backupIds, factors }: Known): Known {
  return {
    backupIds: backupIds.map((id) => storedId(scope, id)),
    factors: factors.map((factor) => storedFactor(scope, factor)),
  };
}

/** The manifest hash of a content, so that which content it belongs to can be checked past the API. */
export function manifestHashOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * Says what is broken of these backups and factors: an index row that points to no backup or to one that does not list
 * the factor, such as one of another app, a listed factor without its row, a ciphertext that is missing, damaged or of
 * another manifest hash: the current one, those of versions, and those of deleted states. Manifest hashes must have been
 * made by {@link manifestHashOf}.
 */
export async function brokenInvariants(stored: InspectableStores, known: Known): Promise<string[]> {
  const ofBackups = await Promise.all(known.backupIds.map((backupId) => brokenBackup(stored, backupId)));
  const ofRows = await Promise.all(known.factors.map((factor) => brokenRow(stored, factor)));
  return [...ofBackups, ...ofRows].flat();
}

/** As {@link brokenInvariants}, of everything that is stored. */
export async function brokenInvariantsOfAll(stored: InspectableStores): Promise<string[]> {
  const { records } = stored;
  const backupIds = (await Array.fromAsync(records.list())).map(({ backupId }) => backupId);
  const deleted = await Array.fromAsync(records.listDeleted());
  for (const { backupId, kept } of deleted) if (kept !== null) backupIds.push(backupId);
  const rows = await Array.fromAsync(records.listFactors());
  const ofRows = await Promise.all(rows.map(({ factor, backupId }) => brokenLead(records, factor, backupId)));
  const known = { backupIds: [...new Set(backupIds)], factors: [] };
  return [...(await brokenInvariants(stored, known)), ...ofRows.flat(), ...(await usedTwice(records))];
}

/**
 * As {@link brokenInvariantsOfAll}, once nothing is written any more and everything was collected: nothing that was due is
 * left, no ciphertext is without a state, and all deleted states can still be brought back.
 */
export async function brokenAfterCollection(stored: InspectableStores): Promise<string[]> {
  const { records, blobs } = stored;
  const broken = await brokenInvariantsOfAll(stored);
  for (const { backupId } of await records.collection.due(1))
    broken.push(`what is due of ${backupId} is left`);
  const referenced = new Set<string>();
  for await (const record of records.list()) for (const { key } of record.blobs) referenced.add(key);
  for await (const deletion of records.listDeleted()) {
    for (const { key } of deletion.blobs) referenced.add(key);
    if ((await listedState(records, deletion)) === null)
      broken.push(`a deleted state of ${deletion.backupId} is left`);
  }
  for await (const { key } of blobs.list())
    if (!referenced.has(key)) broken.push(`no state refers to the ciphertext ${key}`);
  return broken;
}

/** Each ciphertext belongs to one state, as its deletion with that state would be a loss for another. */
async function usedTwice(records: InspectableRecords): Promise<string[]> {
  const seen = new Set<string>();
  const broken: string[] = [];
  for (const listing of [records.list(), records.listDeleted()])
    for await (const { backupId, blobs } of listing)
      for (const { key } of blobs) {
        if (seen.has(key)) broken.push(`the ciphertext ${key} of ${backupId} is used twice`);
        seen.add(key);
      }
  return broken;
}

async function brokenBackup(stored: InspectableStores, backupId: string): Promise<string[]> {
  const broken = await brokenRecord(stored, backupId);
  for await (const state of deletedStates(stored.records, backupId))
    broken.push(...(await brokenContent(stored.blobs, `the deleted ${backupId}`, state)));
  return broken;
}

async function brokenRecord({ records, blobs }: InspectableStores, backupId: string): Promise<string[]> {
  const record = await records.read(backupId);
  if (record === null) return [];
  const metadata = readMetadata(record.metadata);
  const broken: string[] = [];
  const { app, id } = appOf(backupId);
  if (metadata.id !== id) broken.push(`the record of ${backupId} is that of ${metadata.id}`);
  if (metadata.factors.length === 0) broken.push(`${backupId} has no main factor`);
  for (const ref of allFactorRefs(metadata)) {
    const factor = storedFactor(app, ref);
    const { backupId: found } = await records.locate(factor, []);
    if (found !== backupId) broken.push(`${nameOf(factor)} is on ${backupId}, and its row names ${found}`);
  }
  return [...broken, ...(await brokenContent(blobs, backupId, record))];
}

/** What is wrong with the ciphertexts of a state. */
async function brokenContent(
  blobs: InspectableStores["blobs"],
  name: string,
  { blob, metadata, versions }: BackupRecord,
): Promise<string[]> {
  const broken: string[] = [];
  const contents = [{ blob, manifestHash: metadata.manifestHash, of: name }].concat(
    versions.map((version) => ({ ...version, of: `a version of ${name}` })),
  );
  for (const { blob: ref, manifestHash, of } of contents) {
    if (manifestHash !== ref.sha256) broken.push(`the manifest hash of ${of} belongs to another content`);
    try {
      const content = await blobs.get(ref);
      if (content === null) broken.push(`the ciphertext of ${of} is missing`);
      else await new Response(content).bytes(); // fails where size or hash are others
    } catch (error) {
      broken.push(`the ciphertext of ${of} cannot be read: ${error}`);
    }
  }
  return broken;
}

async function brokenRow({ records }: InspectableStores, factor: FactorRef): Promise<string[]> {
  const { backupId } = await records.locate(factor, []);
  return backupId === null ? [] : brokenLead(records, factor, backupId);
}

/** What is wrong about a factor leading to a backup. */
async function brokenLead(
  records: InspectableRecords,
  factor: FactorRef,
  backupId: string,
): Promise<string[]> {
  const record = await records.read(backupId);
  if (record === null) return [`the row of ${nameOf(factor)} names ${backupId}, which is not stored`];
  const { scope, key } = records.asStored(factor);
  const { app } = appOf(backupId);
  const listed = allFactorRefs(readMetadata(record.metadata)).map((ref) =>
    records.asStored(storedFactor(app, ref)),
  );
  if (listed.some((other) => other.scope === scope && other.key === key)) return [];
  return [`the row of ${nameOf(factor)} names ${backupId}, which does not list it`];
}

function nameOf({ scope, key }: FactorRef): string {
  return `the ${scope.toLowerCase()} factor ${key.slice(0, 40)}`;
}
