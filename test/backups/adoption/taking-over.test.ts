import { describe, expect, test } from "bun:test";
import { createAdoption } from "../../../src/backups/adoption/adoption.ts";
import { importMark } from "../../../src/backups/legacy/import-mark.ts";
import { LegacyProblem } from "../../../src/backups/legacy/metadata.ts";
import { ID_TAKEN } from "../../../src/backups/legacy/store-backup.ts";
import { ServiceError } from "../../../src/errors.ts";
import { createBackground } from "../../../src/runtime/background.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { type Content, type RecordStore, StorageUnavailable } from "../../../src/storage/contract.ts";
import type { LegacyRow } from "../../../src/storage/legacy.ts";
import { backupOf, create, kept, openFixture, record } from "../../contract/fixture.ts";
import { DRIVERS, type Driver } from "../../drivers.ts";
import { failureOf } from "../../support/failure-of.ts";
import { type LegacyUser, legacyKeypair, legacyUser } from "../../support/legacy-users.ts";
import { replaced } from "../../support/store-wrappers.ts";

/** The other service's stores in memory. `during` is called before a ciphertext is read. */
function otherService() {
  const metadata = new Map<string, string>();
  const contents = new Map<string, Content>();
  const rows = new Map<string, LegacyRow>();
  const calls: string[] = [];
  const hooks: { onMetadata(): Promise<void> | void; during(): Promise<void> | void } = {
    onMetadata() {},
    during() {},
  };
  return {
    calls,
    hooks,
    metadata,
    contents,
    rows,
    add(user: LegacyUser): void {
      metadata.set(user.id, JSON.stringify(user.metadata));
      contents.set(user.id, [user.content]);
      for (const { key } of user.rows) rows.set(key, { backupId: user.id, lastUsedAt: null });
    },
    source: {
      async metadata(backupId: string) {
        calls.push("metadata");
        const text = metadata.get(backupId) ?? null;
        await hooks.onMetadata();
        return text;
      },
      async rows() {
        return rows;
      },
      async ciphertextPieces(backupId: string) {
        calls.push("ciphertext");
        const content = contents.get(backupId) ?? null;
        await hooks.during();
        return content;
      },
    },
  };
}

async function adoptionOn(
  driver: Driver,
  methods: (records: RecordStore) => Partial<RecordStore> = () => ({}),
) {
  const store = await openFixture(driver.environment);
  const other = otherService();
  const reported: unknown[] = [];
  const background = createBackground({ error: (error) => reported.push(error) });
  const adoption = createAdoption({
    source: other.source,
    issuers: { GOOGLE: "https://google", APPLE: "https://apple" },
    records: replaced<RecordStore>(store.records, methods(store.records)),
    blobs: store.blobs,
    clock: store.clock,
    random: systemRandom,
    background,
    reports: {
      adopted: (_backupId, lost) => reported.push(`adopted, lost ${lost}`),
      failed: (_backupId, error) => reported.push(error instanceof Error ? error.message : error),
    },
  });
  return {
    ...store,
    other,
    adoption,
    background,
    reported,
    blobCount: async () => (await Array.fromAsync(store.blobs.list())).length,
    manifestHashOf: async ({ id }: LegacyUser) => (await store.records.read(id))?.metadata.manifestHash,
    /** Marks an id as taken over, as another process does. */
    mark: ({ id }: LegacyUser) => store.records.consume([importMark(id)]),
    [Symbol.asyncDispose]: async () => {
      await background.settled();
      await store[Symbol.asyncDispose]();
    },
  };
}

const factorOf = ({ mains: [main] }: LegacyUser) => {
  if (main === undefined) throw new Error("the user has no main factor");
  return main.ref;
};

async function expectUnavailable(promise: Promise<unknown>, cause: string): Promise<void> {
  const error = await failureOf(promise);
  if (!(error instanceof ServiceError)) throw error;
  expect(error.code).toBe("service_unavailable");
  expect(error.cause).toBeInstanceOf(LegacyProblem);
  expect(String(error.cause)).toContain(cause);
}

for (const driver of DRIVERS) {
  describe(`a backup that is taken over, on ${driver.name}`, () => {
    test("is stored once, reported, and costs no call later", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await world.manifestHashOf(user)).toBe(user.manifestHash);
      expect(await backupOf(world.records, factorOf(user))).toBe(user.id);
      expect(world.other.calls).toEqual(["metadata", "ciphertext", "metadata"]);
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(world.other.calls).toHaveLength(3);
      expect(world.reported).toEqual(["adopted, lost 0"]);
    });

    test("is stored without the factor that is on a backup here, and the loss is reported", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser({ mains: [legacyKeypair(), legacyKeypair()] });
      const [own, used] = user.mains.map(({ ref }) => ref);
      if (own === undefined || used === undefined) throw new Error("the user has no two factors");
      await create(world.records, "b1", { claim: [used] });
      world.other.add(user);
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await backupOf(world.records, own)).toBe(user.id);
      expect(await backupOf(world.records, used)).toBe("b1");
      expect(world.reported).toEqual(["adopted, lost 1"]);
    });

    test("is read again where it changed while it was read", async () => {
      await using world = await adoptionOn(driver);
      const [user, changed] = [legacyUser(), legacyUser()];
      world.other.add(user);
      world.other.hooks.during = () => world.other.add({ ...changed, ...renamed(changed, user) });
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await world.manifestHashOf(user)).toBe(changed.manifestHash);
      expect(await world.blobCount()).toBe(1);
      expect(world.reported).toEqual(["adopted, lost 0"]);
    });

    test("is read again where it changed and its ciphertext is gone for that", async () => {
      await using world = await adoptionOn(driver);
      const [user, changed] = [legacyUser(), legacyUser()];
      world.other.add(user);
      world.other.contents.delete(user.id);
      world.other.hooks.during = () => world.other.add({ ...changed, ...renamed(changed, user) });
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await world.manifestHashOf(user)).toBe(changed.manifestHash);
    });

    test("is read again where it changed while it was read, and changed back", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      world.other.hooks.during = () => {
        world.other.metadata.set(user.id, JSON.stringify({ ...user.metadata, more: 1 }));
        world.other.hooks.onMetadata = () => world.other.add(user);
        world.other.hooks.during = () => {};
      };
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await world.manifestHashOf(user)).toBe(user.manifestHash);
      expect(world.other.calls.filter((call) => call === "ciphertext")).toHaveLength(2);
    });

    test("is not there any more where it was deleted while it was read", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      world.other.hooks.during = () => void world.other.metadata.delete(user.id);
      await world.adoption.ofBackup(user.id);
      expect(await world.records.read(user.id)).toBeNull();
      expect(await world.blobCount()).toBe(0);
      expect(world.reported).toEqual([]);
      expect(await world.adoption.ofBackup(user.id)).toBe(false);
    });

    test("is unavailable where it changes each of the five times that it is read", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      let changes = 0;
      world.other.hooks.during = () => {
        const more = { ...user.metadata, changes: ++changes };
        world.other.metadata.set(user.id, JSON.stringify(more));
      };
      await expectUnavailable(world.adoption.ofBackup(user.id), "the backup changes all the time");
      expect(changes).toBe(5);
      expect(world.reported).toEqual(["the backup changes all the time: the source is in use"]);
    });

    test.each([
      ["missing", null],
      ["empty", []],
    ])("is unavailable where its ciphertext is %s", async (what, content) => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      if (content === null) world.other.contents.delete(user.id);
      else world.other.contents.set(user.id, content);
      await expectUnavailable(world.adoption.ofBackup(user.id), `the ciphertext is ${what}`);
      expect(await world.records.read(user.id)).toBeNull();
      expect(world.reported).toEqual([`the ciphertext is ${what}`]);
    });

    test("is reported where the ciphertext cannot be read now, with the error of the store", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      world.other.hooks.during = () => Promise.reject(new StorageUnavailable("an outage"));
      expect(await failureOf(world.adoption.ofBackup(user.id))).toBeInstanceOf(StorageUnavailable);
      expect(world.reported).toEqual(["an outage"]);
    });

    test("is not reported where the metadata cannot be read now", async () => {
      await using world = await adoptionOn(driver);
      world.other.hooks.onMetadata = () => Promise.reject(new StorageUnavailable("an outage"));
      expect(await failureOf(world.adoption.ofBackup(legacyUser().id))).toBeInstanceOf(StorageUnavailable);
      expect(world.reported).toEqual([]);
    });

    test("is reported and unavailable where the metadata are no metadata", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.metadata.set(user.id, "no JSON");
      await expectUnavailable(world.adoption.ofBackup(user.id), "the metadata is not JSON");
      expect(world.reported).toEqual(["the metadata is not JSON"]);
    });

    test("is not read where another process has taken it over since its metadata were read", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      world.other.hooks.onMetadata = async () => void (await world.mark(user));
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(world.other.calls).toEqual(["metadata"]);
      expect(world.reported).toEqual([]);
    });

    test("is not reported where another process has taken it over since its ciphertext was read", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      world.other.hooks.during = async () => void (await world.mark(user));
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await world.blobCount()).toBe(0);
      expect(world.reported).toEqual([]);
    });

    test("costs no call where one of its id was deleted before and can be brought back", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      const revision = await create(world.records, user.id);
      const setAside = kept("gone", world.clock);
      await world.records.commit({ backupId: user.id, expect: { revision }, next: null, setAside });
      expect(await world.adoption.ofBackup(user.id)).toBe(true);
      expect(await world.adoption.ofFactors([factorOf(user)])).toBe(false);
      expect(world.other.calls).toEqual([]);
    });

    test("is finished in the background where nobody waits for it", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      const [isRead, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      world.other.hooks.during = () => {
        isRead.resolve();
        return open.promise;
      };
      const adopting = world.adoption.ofBackup(user.id);
      await Promise.race([isRead.promise, adopting]);
      const settled = world.background.settled();
      open.resolve();
      await settled;
      expect(await world.manifestHashOf(user)).toBe(user.manifestHash);
      expect(await adopting).toBe(true);
    });
  });

  describe(`a factor that leads to a backup there, on ${driver.name}`, () => {
    test("takes it over; none leads nowhere", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      expect(await world.adoption.ofFactors([])).toBe(false);
      expect(await world.adoption.ofFactors([factorOf(legacyUser())])).toBe(false);
      expect(await world.adoption.ofFactors([factorOf(legacyUser()), factorOf(user)])).toBe(true);
      expect(await backupOf(world.records, factorOf(user))).toBe(user.id);
    });

    test("leads nowhere where its row is stale", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      world.other.metadata.delete(user.id);
      expect(await world.adoption.ofFactors([factorOf(user)])).toBe(false);
    });

    test("is unavailable where its row has no id of a backup, which is not looked up here", async () => {
      const read: string[] = [];
      await using world = await adoptionOn(driver, (records) => ({
        read: (backupId) => {
          read.push(backupId);
          return records.read(backupId);
        },
        isConsumed: (nonces) => {
          read.push(...nonces.map(({ id }) => id));
          return records.isConsumed(nonces);
        },
      }));
      const user = legacyUser();
      for (const { key } of user.rows) world.other.rows.set(key, { backupId: "", lastUsedAt: null });
      await expectUnavailable(world.adoption.ofFactors([factorOf(user)]), "none of the known forms");
      expect(read).toEqual([]);
      expect(world.other.calls).toEqual([]);
    });

    test.each([90, 91])("of a backup with %i factors has an index row afterwards", async (factors) => {
      const claims: (number | undefined)[] = [];
      await using world = await adoptionOn(driver, (records) => ({
        commit: (change) => {
          claims.push(change.claim?.length);
          return records.commit(change);
        },
      }));
      const user = legacyUser({ mains: Array.from({ length: factors - 1 }, () => legacyKeypair()) });
      world.other.add(user);
      const last = { scope: "SYNC", key: user.rows.at(-1)?.key.slice("SYNC#".length) ?? "" } as const;
      expect(await world.adoption.ofFactors([last])).toBe(true);
      expect(await backupOf(world.records, last)).toBe(user.id);
      expect(claims).toEqual(factors === 90 ? [90] : [90, 1]);
    });

    test("gets its index row where the backup is here without it, after changes in between", async () => {
      const expected: unknown[] = [];
      let conflicts = 4;
      await using world = await adoptionOn(driver, (records) => ({
        async commit(change) {
          if (change.next === null || change.expect === "absent") return records.commit(change);
          expected.push(change.expect.revision);
          if (conflicts-- <= 0) return records.commit(change);
          // another process changes the record first
          await records.commit({ ...change, claim: [] });
          return records.commit(change);
        },
      }));
      const user = legacyUser();
      world.other.add(user);
      await world.adoption.ofBackup(user.id);
      const [factor, stored] = [factorOf(user), await world.records.read(user.id)];
      if (stored === null) throw new Error("the backup was not taken over");
      await world.records.commit({ backupId: user.id, expect: stored, next: stored, release: [factor] });
      expect(await world.adoption.ofFactors([factor])).toBe(true);
      expect(new Set(expected).size).toBe(5);
      expect(await backupOf(world.records, factor)).toBe(user.id);

      const indexed = await world.records.read(user.id);
      if (indexed === null) throw new Error("the backup is gone");
      await world.records.commit({ backupId: user.id, expect: indexed, next: indexed, release: [factor] });
      conflicts = 5;
      const error = await failureOf(world.adoption.ofFactors([factor]));
      if (!(error instanceof ServiceError)) throw error;
      expect(error.code).toBe("conflicting_lock");
      expect(await backupOf(world.records, factor)).toBeNull();
    });

    test("leads nowhere where the backup was taken over and deleted here", async () => {
      await using world = await adoptionOn(driver);
      const user = legacyUser();
      world.other.add(user);
      await world.mark(user);
      expect(await world.adoption.ofFactors([factorOf(user)])).toBe(false);
    });

    test("leads nowhere where it was removed here, and is reported where the id was taken here", async () => {
      await using world = await adoptionOn(driver);
      const [moved, taken] = [legacyUser(), legacyUser()];
      for (const user of [moved, taken]) {
        world.other.add(user);
        const other = legacyUser({ id: user.id });
        world.other.metadata.set(user.id, JSON.stringify(other.metadata));
      }
      expect(await world.adoption.ofFactors([factorOf(moved)])).toBe(false);
      expect(world.reported).toEqual(["adopted, lost 0"]);
      const metadata = (await world.records.read(moved.id))?.metadata ?? {};
      await create(world.records, taken.id, { next: record("taken", metadata) });
      const calls = world.other.calls.length;
      expect(await world.adoption.ofFactors([factorOf(taken)])).toBe(false);
      expect(world.reported).toEqual(["adopted, lost 0", ID_TAKEN]);
      expect(world.other.calls).toHaveLength(calls);
    });
  });
}

/** Metadata and content of one user under the id of another. */
function renamed({ metadata }: LegacyUser, { id }: LegacyUser) {
  return { id, metadata: { ...metadata, id } };
}
