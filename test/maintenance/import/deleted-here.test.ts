/** Backups that were deleted here and can be brought back: an import does not take their place. */
import { describe, expect, test } from "bun:test";
import { importBackups, verifyImport } from "../../../src/maintenance/import/import.ts";
import { type ImportStores, newImportCounts } from "../../../src/maintenance/import/run.ts";
import { undeleteForOwner } from "../../../src/maintenance/inspect/undelete.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import type { BlobStore } from "../../../src/storage/contract.ts";
import { DRIVERS } from "../../drivers.ts";
import { setAside } from "../../support/history.ts";
import { LEGACY_OPTIONS, newLegacyStores } from "../../support/legacy-stores.ts";
import { legacyUser } from "../../support/legacy-users.ts";
import { onceBefore, replaced } from "../../support/store-wrappers.ts";
import { storedRecord } from "../../support/stored.ts";
import { metadataOf, newStores, storeBackup } from "../doctor/examined-stores.ts";

const ISSUERS = { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" };

for (const driver of DRIVERS)
  describe(`an import on ${driver.name}`, () => {
    async function newWorld() {
      const legacy = await newLegacyStores();
      const stores = await newStores(driver.environment);
      const user = legacyUser();
      await legacy.add(user);
      const source = openLegacySource(legacy.location, LEGACY_OPTIONS);
      const { clock } = stores;
      const base = {
        clock,
        random: systemRandom,
        source,
        stores,
        issuers: ISSUERS,
        since: null,
        dryRun: false,
      };
      const problems = async (findings: AsyncIterable<{ readonly problem: string }>) =>
        (await Array.fromAsync(findings)).map(({ problem }) => problem);
      return {
        stores,
        user,
        add: legacy.add,
        async removeFromSource() {
          await legacy.deleteObject(`${user.id}/metadata`);
          await legacy.deleteObject(user.ciphertextKey);
        },
        run: (dryRun = false) => problems(importBackups({ ...base, dryRun, counts: newImportCounts() })),
        verify: (seen: ImportStores = stores) =>
          problems(verifyImport({ ...base, stores: seen, counts: newImportCounts() }, seen)),
        undelete: () =>
          undeleteForOwner(
            {
              clock,
              random: systemRandom,
              stores,
              keepMs: 1000,
              isDelivered: false,
              backupId: user.id,
              dryRun: false,
            },
            { deletionId: null, replace: null },
          ),
        async [Symbol.asyncDispose]() {
          await source[Symbol.asyncDispose]();
          await stores[Symbol.asyncDispose]();
          await legacy[Symbol.asyncDispose]();
        },
      };
    }

    test("does not take the id of a backup that can be brought back, and says so", async () => {
      await using world = await newWorld();
      const { stores, user, run, verify, undelete } = world;
      await storeBackup(stores, user.id, { metadata: metadataOf(user.id, { factors: ["own"] }), claim: [] });
      const { keepUntilMs, blob } = await setAside(stores, user.id);
      const until = new Date(keepUntilMs).toISOString();
      const problem = `can be brought back until ${until}`;
      expect(await run(true)).toEqual([expect.stringContaining(problem)]);
      expect(await run()).toEqual([expect.stringContaining(problem)]);
      expect(await verify()).toEqual([expect.stringContaining(problem)]);
      await undelete();
      expect((await storedRecord(stores, user.id)).blob).toEqual(blob);
    });

    test("takes it over once the time of the deleted state is over", async () => {
      await using world = await newWorld();
      const { stores, user, run, verify } = world;
      await storeBackup(stores, user.id, { metadata: metadataOf(user.id, { factors: ["own"] }), claim: [] });
      const { keepUntilMs } = await setAside(stores, user.id);
      stores.clock.set(keepUntilMs);
      expect(await run()).toEqual([]);
      expect(await verify()).toEqual([]);
    });

    test("leaves alone what was taken over and then deleted here, so that it can be brought back", async () => {
      await using world = await newWorld();
      const { stores, user, run, verify } = world;
      expect(await run()).toEqual([]);
      await setAside(stores, user.id);
      expect(await run()).toEqual([]);
      expect(await verify()).toEqual([]);
      expect(await stores.records.read(user.id)).toBeNull();
    });

    for (const [store, method] of [
      ["blobs", "get"],
      ["records", "locate"],
    ] as const)
      test(`is verified without a difference where a backup is deleted right before ${store}.${method}`, async () => {
        await using world = await newWorld();
        const { stores, user, run, verify } = world;
        const { records, blobs } = stores;
        expect(await run()).toEqual([]);
        const remove = async () => {
          const before = await storedRecord(stores, user.id);
          const release = (await Array.fromAsync(records.listFactors())).map(({ factor }) => factor);
          const deletion = { backupId: user.id, expect: before, next: null, release } as const;
          expect(await records.commit(deletion)).toBe("committed");
          await blobs.delete(before.blob.key);
        };
        const raced =
          store === "blobs"
            ? { records, blobs: onceBefore<BlobStore>(blobs, "get", remove) }
            : { records: onceBefore(records, "locate", remove), blobs };
        expect(await verify(raced)).toEqual([]);
        expect(await records.read(user.id)).toBeNull();
      });

    test("misses nothing in the source that came there after it was listed", async () => {
      await using world = await newWorld();
      const { stores, add, run, verify } = world;
      const { records, blobs } = stores;
      expect(await run()).toEqual([]);
      async function* list() {
        await add(legacyUser());
        expect(await run()).toEqual([]);
        yield* records.list();
      }
      expect(await verify({ records: replaced(records, { list }), blobs })).toEqual([]);
      expect(await Array.fromAsync(records.list())).toHaveLength(2);
    });

    test("does not miss in the source what is deleted here while it is looked for there", async () => {
      await using world = await newWorld();
      const { stores, user, removeFromSource, run, verify } = world;
      const { records, blobs } = stores;
      expect(await run()).toEqual([]);
      await removeFromSource();
      expect(await verify()).toEqual(["it was taken over, and is not in the source any more"]);
      const raced = onceBefore(records, "isConsumed", () => setAside(stores, user.id));
      expect(await verify({ records: raced, blobs })).toEqual([]);
    });
  });
