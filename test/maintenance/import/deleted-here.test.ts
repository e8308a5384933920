/** Backups that were deleted here and can be brought back: an import does not take their place. */
import { describe, expect, test } from "bun:test";
import { importBackups, verifyImport } from "../../../src/maintenance/import/import.ts";
import { newImportCounts } from "../../../src/maintenance/import/run.ts";
import { undeleteForOwner } from "../../../src/maintenance/inspect/undelete.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import { DRIVERS } from "../../drivers.ts";
import { setAside } from "../../support/history.ts";
import { LEGACY_OPTIONS, newLegacyStores } from "../../support/legacy-stores.ts";
import { legacyUser } from "../../support/legacy-users.ts";
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
        run: (dryRun = false) => problems(importBackups({ ...base, dryRun, counts: newImportCounts() })),
        verify: () => problems(verifyImport({ ...base, counts: newImportCounts() }, stores)),
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
  });
