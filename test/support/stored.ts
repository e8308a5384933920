/** What is stored, read and changed past the API. */
import { expect } from "bun:test";
import type { Scope } from "../../src/protocol/factor.ts";
import type { ProcessServices, Services } from "../../src/services.ts";
import {
  type FactorRef,
  factorKeys,
  type JsonObject,
  type StoredRecord,
} from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";

type Records = Pick<Services, "records">;
type Settling = Pick<Services, "records" | "background">;

/** The names of all ciphertexts, once background work has ended. */
export async function blobKeys({
  background,
  stores,
}: Pick<ProcessServices, "background" | "stores">): Promise<string[]> {
  await background.settled();
  return (await Array.fromAsync(stores.blobs.list())).map(({ key }) => key);
}

/** The record of a backup, which must be there. */
export async function storedRecord({ records }: Records, backupId: string): Promise<StoredRecord> {
  const stored = await records.read(backupId);
  if (stored === null) throw new Error("the backup is not stored");
  return stored;
}

/** Stores one of the records again as it is, as a change that came just now; all others keep their age. */
export async function touchAnyRecord(records: InspectableRecords): Promise<void> {
  for await (const { backupId } of records.list()) {
    const stored = await records.read(backupId);
    if (stored === null) continue;
    const { revision, blob, metadata, versions } = stored;
    const next = { blob, metadata, versions };
    const outcome = await records.commit({ backupId, expect: { revision }, next });
    if (outcome !== "committed") throw new Error(`${backupId} changed meanwhile`);
    return;
  }
}

/** Stores other metadata, and index rows besides, and returns the metadata. Background work has ended then. */
export async function rewriteMetadata(
  { records, background }: Settling,
  backupId: string,
  change: (metadata: JsonObject) => JsonObject,
  claim: readonly FactorRef[] = [],
): Promise<JsonObject> {
  await background.settled();
  const stored = await storedRecord({ records }, backupId);
  const metadata = change(stored.metadata);
  const next = { ...stored, metadata };
  expect(await records.commit({ backupId, expect: stored, next, claim })).toBe("committed");
  return metadata;
}

/** Has the index lead a factor to a backup that does not list it. */
export async function addIndexRow(services: Settling, backupId: string, factor: FactorRef): Promise<void> {
  await rewriteMetadata(services, backupId, (metadata) => metadata, [factor]);
}

/** Stored metadata once its first sync factor was used. */
export function firstUsedAt(metadata: JsonObject, nowMs: number): JsonObject {
  const [first, ...others] = metadata.syncFactors as JsonObject[];
  return { ...metadata, syncFactors: [{ ...first, lastUsedAt: Math.floor(nowMs / 1000) }, ...others] };
}

/** Removes a record and leaves its index rows. Background work has ended then. */
export async function loseRecord({ records, background }: Settling, backupId: string): Promise<void> {
  await background.settled();
  const stored = await storedRecord({ records }, backupId);
  expect(await records.commit({ backupId, expect: stored, next: null })).toBe("committed");
}

/** Which backup the index leads a factor to. */
export async function indexedAs({ records }: Records, factor: FactorRef): Promise<string | null> {
  return (await records.locate(factor, [])).backupId;
}

/** As {@link indexedAs}, for a keypair. */
export function indexed(
  services: Records,
  scope: Scope,
  { publicKey }: { readonly publicKey: string },
): Promise<string | null> {
  return indexedAs(services, { scope, key: factorKeys.ecKeypair(publicKey) });
}

/** A passkey as it is stored. */
export function storedPasskey(credentialId: string) {
  return {
    kind: "PASSKEY",
    credentialId,
    registration: { id: credentialId, more: [1] },
    label: "",
    credential: {
      publicKey: "cHVibGljIGtleQ",
      algorithm: "ES256",
      counter: 0,
      transports: [],
      aaguid: "00000000-0000-0000-0000-000000000000",
      deviceType: "multiDevice",
      backedUp: true,
      userVerified: true,
    },
  } as const;
}

/** A Google or Apple account as it is stored. */
export function storedAccount(kind: "GOOGLE" | "APPLE", sub: string) {
  return {
    kind: "OIDC_ACCOUNT",
    account: { kind, issuer: "https://issuer", sub, maskedEmail: "ab***@c.d" },
    turnkeyProviderId: "provider",
  } as const;
}
