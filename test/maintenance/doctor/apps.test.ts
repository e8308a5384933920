/** The doctor examines the backups of all apps in a storage, served or not. */
import { describe, expect, test } from "bun:test";
import { storedFactor, storedId } from "../../../src/storage/app-scope.ts";
import { backupOf, type Fixture } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { setAside } from "../../support/history.ts";
import {
  examined,
  kindsOf,
  letAge,
  mainRef,
  metadataOf,
  newStores,
  storeBackup,
  syncRef,
} from "./examined-stores.ts";

const APPS = [null, "shop"] as const;
const LISTED = { factors: ["f main"], syncFactors: ["f sync"] };

/** Stores the backup `b1` of an app, which lists the same factors in each. */
async function storeOf(stores: Fixture, app: string | null, more: object = {}) {
  const claim = [mainRef("f main"), syncRef("f sync")].map((factor) => storedFactor(app, factor));
  return storeBackup(stores, storedId(app, "b1"), { metadata: metadataOf("b1", LISTED), claim, ...more });
}

for (const driver of DRIVERS)
  describe(`the doctor of apps (${driver.name})`, () => {
    test("finds nothing wrong with one id and the same factors in several apps", async () => {
      await using stores = await newStores(driver.environment);
      for (const app of APPS) await storeOf(stores, app);
      await letAge(stores);
      const { findings, counts } = await examined(stores, { repair: true, servedScopes: new Set(APPS) });
      expect(findings).toEqual([]);
      expect(counts).toMatchObject({ backups: 2, indexRows: 4, blobs: 2 });
      expect(counts.ofUnknownApps).toEqual(new Map());
    });

    test("restores the rows of an app as that app has them", async () => {
      await using stores = await newStores(driver.environment);
      await storeOf(stores, null);
      await storeOf(stores, "shop", { claim: [] });
      const { findings } = await examined(stores, { repair: true, servedScopes: new Set(APPS) });
      expect(kindsOf(findings)).toEqual(["factor-without-row", "factor-without-row"]);
      expect(findings.map(({ factor, repaired }) => [factor?.kind, repaired])).toEqual([
        ["EC_KEYPAIR", true],
        ["EC_KEYPAIR", true],
      ]);
      for (const app of APPS)
        for (const factor of [mainRef("f main"), syncRef("f sync")])
          expect(await backupOf(stores.records, storedFactor(app, factor))).toBe(storedId(app, "b1"));
    });

    test("releases a row of one app that leads to a backup of another", async () => {
      await using stores = await newStores(driver.environment);
      const foreign = mainRef("f main"); // without the scope of the app whose backup it leads to
      await storeOf(stores, "shop", {
        claim: [
          foreign,
          ...[mainRef("f main"), syncRef("f sync")].map((factor) => storedFactor("shop", factor)),
        ],
      });
      const { findings } = await examined(stores, { repair: true, servedScopes: new Set(APPS) });
      expect(kindsOf(findings)).toEqual(["row-without-factor"]);
      expect(await backupOf(stores.records, foreign)).toBeNull();
      expect(await backupOf(stores.records, storedFactor("shop", foreign))).toBe("app/shop/b1");
    });

    test("finds a backup whose metadata are of another id", async () => {
      await using stores = await newStores(driver.environment);
      await storeBackup(stores, "app/shop/b1", { metadata: metadataOf("app/shop/b1", {}), claim: [] });
      expect(kindsOf((await examined(stores, { servedScopes: new Set(APPS) })).findings)).toEqual([
        "metadata-of-another-backup",
      ]);
    });

    test("counts what is of apps that are not served, and deletes nothing of it", async () => {
      await using stores = await newStores(driver.environment);
      for (const app of APPS) await storeOf(stores, app);
      await storeBackup(stores, "app/shop/b2", { metadata: metadataOf("b2", {}), claim: [] });
      await setAside(stores, "app/shop/b2");
      await letAge(stores);
      for (const [served, unknown] of [
        [[null], [["shop", 2]]],
        [["shop"], [[null, 1]]],
        [
          ["other"],
          [
            [null, 1],
            ["shop", 2],
          ],
        ],
      ] as const) {
        const { findings, counts } = await examined(stores, { repair: true, servedScopes: new Set(served) });
        expect(findings).toEqual([]);
        expect([...counts.ofUnknownApps].toSorted()).toEqual(unknown.map((entry) => [...entry]));
      }
      expect(await Array.fromAsync(stores.blobs.list())).toHaveLength(3);
    });

    test("deletes the blob that an operation of an app left, and no other", async () => {
      await using stores = await newStores(driver.environment);
      await storeOf(stores, "shop");
      await stores.blobs.put("app/shop/b1", [Buffer.from("abandoned")]);
      await letAge(stores);
      const { findings } = await examined(stores, { repair: true, servedScopes: new Set(APPS) });
      expect(findings).toMatchObject([{ kind: "blob-unreferenced", repaired: true }]);
      expect(await Array.fromAsync(stores.blobs.list())).toHaveLength(1);
    });
  });
