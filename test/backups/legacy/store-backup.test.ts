import { describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { importMark } from "../../../src/backups/legacy/import-mark.ts";
import { LegacyProblem } from "../../../src/backups/legacy/metadata.ts";
import { ownershipOf } from "../../../src/backups/legacy/ownership.ts";
import { readBackup } from "../../../src/backups/legacy/read-backup.ts";
import {
  differingMembers,
  earlierImport,
  ID_TAKEN,
  type OpenedBackup,
  refreshBackup,
  storeBackup,
  type TakeOverStores,
} from "../../../src/backups/legacy/store-backup.ts";
import { storedMetadata } from "../../../src/backups/model.ts";
import { ServiceError } from "../../../src/errors.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import {
  type BlobStore,
  ChangeRefused,
  type JsonObject,
  type RecordStore,
  StorageUnavailable,
} from "../../../src/storage/contract.ts";
import {
  backupOf,
  create,
  type Fixture,
  kept,
  MINUTE_MS,
  openFixture,
  record,
  version,
} from "../../contract/fixture.ts";
import { DRIVERS, type Driver } from "../../drivers.ts";
import { codeOf } from "../../support/error-of.ts";
import { type LegacyUser, legacyKeypair, legacyUser } from "../../support/legacy-users.ts";
import { replaced } from "../../support/store-wrappers.ts";

/** A backup of the source with the factors that its table leads to it: all. */
async function inSource({ id, metadata, rows }: LegacyUser) {
  const source = {
    metadata: async () => JSON.stringify(metadata),
    rows: async () => new Map(rows.map(({ key }) => [key, { backupId: id, lastUsedAt: null }])),
  };
  const reading = { source, issuers: { GOOGLE: "https://google", APPLE: "https://apple" } };
  const backup = await readBackup(reading, id);
  if (backup === null) throw new Error("the user has no backup");
  return { backup, ownership: await ownershipOf(reading, backup) };
}

/** The same backup with other members of its metadata. */
function changed(user: LegacyUser, members: JsonObject): LegacyUser {
  return { ...user, metadata: { ...user.metadata, ...members } };
}

async function open(driver: Driver) {
  const store = await openFixture(driver.environment);
  const stores: TakeOverStores = { ...store, random: systemRandom };
  return {
    ...store,
    stores,
    withRecords: (methods: Partial<RecordStore>) => ({
      ...stores,
      records: replaced<RecordStore>(store.records, methods),
    }),
    withBlobs: (methods: Partial<BlobStore>) => ({
      ...stores,
      blobs: replaced<BlobStore>(store.blobs, methods),
    }),
  };
}

const opened = (user: LegacyUser, more: Partial<OpenedBackup> = {}): OpenedBackup => ({
  backupId: user.id,
  content: [user.content],
  client: "",
  ...more,
});

async function take(stores: TakeOverStores, user: LegacyUser, more: Partial<OpenedBackup> = {}) {
  return storeBackup(stores, opened(user, more), (await inSource(user)).ownership);
}

async function earlier(stores: TakeOverStores, user: LegacyUser) {
  const { backup, ownership } = await inSource(user);
  return earlierImport(stores, backup, ownership);
}

async function refresh(
  stores: TakeOverStores,
  user: LegacyUser,
  before: Awaited<ReturnType<typeof storedOf>>,
) {
  return refreshBackup(stores, opened(user), (await inSource(user)).ownership, before);
}

async function storedOf({ records }: Pick<TakeOverStores, "records">, { id }: LegacyUser) {
  const stored = await records.read(id);
  if (stored === null) throw new Error(`${id} is not stored`);
  return stored;
}

async function blobKeys({ blobs }: Fixture): Promise<string[]> {
  return (await Array.fromAsync(blobs.list())).map(({ key }) => key);
}

function refOf({ mains }: LegacyUser, index = 0) {
  const main = mains[index];
  if (main === undefined) throw new Error("the user has no such main factor");
  return main.ref;
}

const problemOf = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => (error instanceof LegacyProblem ? error.message : error),
  );

test("members differ that only the stored metadata has, only the source, or both with other values", async () => {
  const { metadata } = (await inSource(legacyUser())).ownership;
  const stored: JsonObject = { ...storedMetadata(metadata), logId: randomUUID() };
  const { keys: _, ...withoutKeys } = stored;
  expect(differingMembers(stored, metadata)).toEqual([]);
  expect(differingMembers(withoutKeys, metadata)).toEqual(["keys"]);
  expect(differingMembers({ ...stored, contentAtMs: 1 }, metadata)).toEqual(["contentAtMs"]);
  expect(differingMembers({ ...stored, manifestHash: "" }, metadata)).toEqual(["manifestHash"]);
});

for (const driver of DRIVERS) {
  describe(`an earlier import, on ${driver.name}`, () => {
    test("has left nothing where the id was never here", async () => {
      await using world = await open(driver);
      expect(await earlier(world.stores, legacyUser())).toBe("none");
    });

    test("is settled where its backup is here as it is in the source", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      expect(await earlier(world.stores, user)).toBe("settled");
    });

    test("may be replaced where one member changed in the source since, and nothing here", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      const stored = await storedOf(world, user);
      expect(await earlier(world.stores, changed(user, { keys: [] }))).toEqual(stored);
    });

    test("is settled where its backup changed here, whatever is in the source", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      const stored = await storedOf(world, user);
      const next = { ...stored, changedAtMs: world.clock.nowMs() };
      await world.records.commit({ backupId: user.id, expect: stored, next });
      expect(await earlier(world.stores, user)).toBe("settled");
      expect(await earlier(world.stores, changed(user, { keys: [] }))).toBe("settled");
    });

    test("is settled where its backup was deleted here", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      const stored = await storedOf(world, user);
      await world.records.commit({ backupId: user.id, expect: stored, next: null });
      expect(await earlier(world.stores, user)).toBe("settled");
    });

    test("is settled where the same backup is here without a mark, and not where it is another", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      const { metadata } = await take(world.stores, user).then(() => storedOf(world, user));
      const copy = legacyUser();
      const members = { factors: user.metadata.factors ?? [], syncFactors: user.metadata.syncFactors ?? [] };
      await create(world.records, copy.id, { next: record("copy", metadata) });
      expect(await earlier(world.stores, changed(copy, members))).toBe("settled");
      expect(await problemOf(earlier(world.stores, copy))).toBe(ID_TAKEN);
    });

    test("is none where another backup of the id can be brought back, which is a problem", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      const revision = await create(world.records, user.id);
      const keepUntilMs = world.clock.nowMs() + MINUTE_MS;
      const setAside = kept("gone", world.clock, { keepUntilMs });
      await world.records.commit({ backupId: user.id, expect: { revision }, next: null, setAside });
      expect(await problemOf(earlier(world.stores, user))).toBe(
        `a backup of this id was deleted here, and can be brought back until ${new Date(keepUntilMs).toISOString()}`,
      );
    });
  });

  describe(`a backup that is stored, on ${driver.name}`, () => {
    test("loses the factor that another backup takes meanwhile, and keeps the others", async () => {
      await using world = await open(driver);
      const user = legacyUser({ mains: [legacyKeypair(), legacyKeypair()] });
      const claims: unknown[] = [];
      const stores = world.withRecords({
        async commit(change) {
          claims.push(change.claim?.length);
          if (claims.length > 2) throw new Error("the factors were claimed once more");
          if (claims.length === 1) await create(world.records, "rival", { claim: [refOf(user, 1)] });
          return world.records.commit(change);
        },
      });
      expect(await take(stores, user)).toEqual({ outcome: "imported", lost: [refOf(user, 1)] });
      expect(claims).toEqual([3, 2]);
      expect(await backupOf(world.records, refOf(user, 0))).toBe(user.id);
      expect(await backupOf(world.records, refOf(user, 1))).toBe("rival");
    });

    test("is there already where its id was taken over, or taken, meanwhile", async () => {
      await using world = await open(driver);
      const [marked, taken] = [legacyUser(), legacyUser()];
      await world.records.consume([importMark(marked.id)]);
      await create(world.records, taken.id);
      for (const user of [marked, taken])
        expect(await take(world.stores, user)).toEqual({ outcome: "alreadyThere", lost: [] });
      expect(await blobKeys(world)).toEqual([]);
    });

    test("is not stored where the check before the commit fails, with its error", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      const beforeCommit = () => Promise.reject(new ServiceError("service_unavailable", "an outage"));
      expect(await codeOf(() => take(world.stores, user, { beforeCommit }))).toBe("service_unavailable");
      expect(await world.records.read(user.id)).toBeNull();
      expect(await blobKeys(world)).toEqual([]);
    });

    test("is a problem where the store never takes its record, and none where it is unavailable", async () => {
      await using world = await open(driver);
      const failing = (error: Error) =>
        take(world.withRecords({ commit: () => Promise.reject(error) }), legacyUser());
      expect(await problemOf(failing(new ChangeRefused("too large")))).toBe(
        "the record store does not take the record: it is too large",
      );
      const outage = new StorageUnavailable("an outage");
      expect(await problemOf(failing(outage))).toBe(outage);
    });
  });

  describe(`a backup that is refreshed, on ${driver.name}`, () => {
    test("has the content, metadata and factors of the source, and what it got here", async () => {
      await using world = await open(driver);
      const [staying, leaving] = [legacyKeypair(), legacyKeypair()];
      const user = legacyUser({ mains: [staying, leaving] });
      await take(world.stores, user);
      const imported = await storedOf(world, user);
      const versions = [version("earlier")];
      await world.records.commit({ backupId: user.id, expect: imported, next: { ...imported, versions } });
      const before = await storedOf(world, user);

      const later = legacyUser({ id: user.id, mains: [staying, legacyKeypair(), legacyKeypair()] });
      await create(world.records, "rival", { claim: [refOf(later, 2)] });
      expect(await refresh(world.stores, later, before)).toEqual({
        outcome: "imported",
        lost: [refOf(later, 2)],
      });

      const after = await storedOf(world, user);
      expect(after.metadata).toMatchObject({
        manifestHash: later.manifestHash,
        logId: before.metadata.logId ?? "none",
      });
      expect(after).toMatchObject({ versions, changedAtMs: 0 });
      expect(await blobKeys(world)).toEqual([after.blob.key]);
      expect(after.blob.key).not.toBe(before.blob.key);
      expect(await backupOf(world.records, refOf(later, 0))).toBe(user.id);
      expect(await backupOf(world.records, refOf(later, 1))).toBe(user.id);
      expect(await backupOf(world.records, refOf(later, 2))).toBe("rival");
      expect(await backupOf(world.records, refOf(user, 1))).toBeNull();
    });

    test("loses the factor that another backup takes meanwhile", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      const later = legacyUser({ id: user.id });
      let commits = 0;
      const stores = world.withRecords({
        async commit(change) {
          if (++commits === 1) await create(world.records, "rival", { claim: [refOf(later)] });
          return world.records.commit(change);
        },
      });
      const { lost } = await refresh(stores, later, await storedOf(world, user));
      expect(lost).toEqual([refOf(later)]);
      expect(await backupOf(world.records, refOf(later))).toBe("rival");
    });

    test("stays with its content where it changed here meanwhile", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      const before = await storedOf(world, user);
      const next = { ...before, changedAtMs: world.clock.nowMs() };
      await world.records.commit({ backupId: user.id, expect: before, next });
      const { outcome } = await refresh(world.stores, legacyUser({ id: user.id }), before);
      expect(outcome).toBe("alreadyThere");
      expect((await storedOf(world, user)).metadata.manifestHash).toBe(user.manifestHash);
      expect(await blobKeys(world)).toEqual([before.blob.key]);
    });

    test("fails where its earlier content cannot be deleted", async () => {
      await using world = await open(driver);
      const user = legacyUser();
      await take(world.stores, user);
      const outage = new StorageUnavailable("an outage");
      const stores = world.withBlobs({ delete: () => Promise.reject(outage) });
      const later = legacyUser({ id: user.id });
      expect(await problemOf(refresh(stores, later, await storedOf(world, user)))).toBe(outage);
    });
  });
}
