/** A storage to be examined, and short ways to put valid and broken backups into it. */
import { randomBytes } from "node:crypto";
import { Counts, type Examination } from "../../../src/maintenance/doctor/examination.ts";
import { examine } from "../../../src/maintenance/doctor/examine.ts";
import type { Finding, RemovableKind } from "../../../src/maintenance/doctor/findings.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import {
  type BackupRecord,
  type BlobRef,
  type Change,
  type FactorRef,
  factorKeys,
  type JsonObject,
} from "../../../src/storage/contract.ts";
import { type Fixture, type NewStorage, openFixture } from "../../contract/fixture.ts";
import { touchAnyRecord } from "../../support/stored.ts";

const HOUR_MS = 60 * 60 * 1000;

/** An empty storage whose clock is now, as blobs have the time of the machine. */
export async function newStores(newStorage: NewStorage): Promise<Fixture> {
  const fixture = await openFixture(newStorage);
  fixture.clock.set(Date.now());
  return fixture;
}

/** Makes everything that was stored so far older than any request, and a record that is there younger than that. */
export async function letAge(stores: Fixture): Promise<void> {
  stores.clock.set(Date.now() + 2 * HOUR_MS);
  await touchAnyRecord(stores.records);
}

export const mainRef = (publicKey: string): FactorRef => ({
  scope: "MAIN",
  key: factorKeys.ecKeypair(publicKey),
});
export const syncRef = (publicKey: string): FactorRef => ({ ...mainRef(publicKey), scope: "SYNC" });

export interface Listed {
  readonly factors?: readonly string[];
  readonly syncFactors?: readonly string[];
}

/** Metadata of a backup that lists keypairs. */
export function metadataOf(id: string, { factors = [], syncFactors = [] }: Listed): JsonObject {
  const listed = (publicKey: string) => ({
    id: `id of ${publicKey}`,
    createdAt: 1,
    kind: { kind: "EC_KEYPAIR", publicKey },
  });
  return {
    id,
    manifestHash: "00".repeat(32),
    keys: [],
    factors: factors.map(listed),
    syncFactors: syncFactors.map(listed),
    future: "a member that this version does not know",
  };
}

/** Stores a backup that lists a main and a sync factor named after it. What is wrong with it is in `change`. */
export async function storeBackup(
  { records, blobs }: Fixture,
  id: string,
  change: Partial<Change> & { readonly metadata?: JsonObject; readonly blob?: BlobRef } = {},
): Promise<BackupRecord> {
  const { metadata, blob, ...rest } = change;
  const next = {
    blob: blob ?? (await blobs.put(id, [randomBytes(1_000)])),
    metadata: metadata ?? metadataOf(id, { factors: [`${id} main`], syncFactors: [`${id} sync`] }),
    versions: [],
  };
  const claim = [mainRef(`${id} main`), syncRef(`${id} sync`)];
  const outcome = await records.commit({ backupId: id, expect: "absent", next, claim, ...rest });
  if (outcome !== "committed") throw new Error(`${id} was not stored: ${outcome}`);
  return next;
}

/** Deletes the record of a backup and nothing that belongs to it. */
export async function dropRecord({ records }: Fixture, backupId: string): Promise<void> {
  const revision = (await records.read(backupId))?.revision ?? "";
  await records.commit({ backupId, expect: { revision }, next: null });
}

type ExaminedStores = Pick<Examination, "records" | "blobs" | "clock">;

/** A whole examination that repairs nothing and does not wait; `more` says what is different. */
export function examinationOf(
  { records, blobs, clock }: ExaminedStores,
  more: Partial<Examination> = {},
): Examination {
  return {
    ...{ records, blobs, clock, random: systemRandom, verify: false, repair: false },
    remove: new Set<RemovableKind>(),
    servedScopes: new Set([null]),
    restores: [],
    interrupted: null,
    reached: null,
    counts: new Counts(),
    pause: async () => {},
    pace: async () => {},
    ...more,
  };
}

/** What an examination finds, and what it has counted. */
export async function examined(stores: ExaminedStores, more: Partial<Examination> = {}) {
  const examination = examinationOf(stores, more);
  const findings = await Array.fromAsync(examine(examination));
  return { findings, counts: examination.counts };
}

/** The kinds of the findings, sorted. */
export function kindsOf(findings: readonly Finding[]): string[] {
  return findings.map(({ kind }) => kind).sort();
}
