import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { importBackups, verifyImport } from "../../../src/maintenance/import/import.ts";
import { type ImportRun, newImportCounts } from "../../../src/maintenance/import/run.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import { DRIVERS } from "../../drivers.ts";
import { factorService } from "../../support/factors.ts";
import { brokenInvariantsOfAll } from "../../support/invariants.ts";
import { LEGACY_OPTIONS, type LegacyStores, newLegacyStores } from "../../support/legacy-stores.ts";
import { type LegacyUser, usersOfEveryForm } from "../../support/legacy-users.ts";
import { everyMainFactorRecovers, everySyncFactorManages } from "../../support/moved-in-users.ts";

const ISSUERS = { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" };

for (const driver of DRIVERS)
  describe(`users who were moved in, on ${driver.name}`, () => {
    const { service, issuer } = factorService(driver);
    let legacy: LegacyStores;
    let users: readonly LegacyUser[] = [];

    beforeAll(async () => {
      legacy = await newLegacyStores();
      users = usersOfEveryForm(issuer);
      await legacy.add(...users);
    });
    afterAll(() => legacy[Symbol.asyncDispose]());

    test("all are taken over, and what was stored is as in the source", async () => {
      await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
      const before = await legacy.contents();
      const { stores } = service().services;
      const run: ImportRun = {
        source,
        stores,
        issuers: ISSUERS,
        clock: service().clock,
        random: systemRandom,
        since: null,
        dryRun: false,
        counts: newImportCounts(),
      };
      expect(await Array.fromAsync(importBackups(run))).toEqual([]);
      expect(run.counts).toMatchObject({ imported: users.length, alreadyThere: 0, seen: users.length });
      expect(await Array.fromAsync(verifyImport(run, stores))).toEqual([]);
      expect(await brokenInvariantsOfAll(stores)).toEqual([]);
      expect(await legacy.contents()).toEqual(before);
    });

    test("no whole e-mail address and no PRF result is stored or logged", async () => {
      const { records } = service().services.stores;
      const stored = await Promise.all(users.map(({ id }) => records.read(id)));
      const text = JSON.stringify(stored) + service().logged.join("");
      const accounts = users.flatMap(({ mains }) => mains).filter((main) => "email" in main);
      expect(accounts.length).toBeGreaterThan(3);
      for (const account of accounts) expect(text).not.toContain(String(Reflect.get(account, "email")));
      expect(text).not.toContain("U0VDUkVU");
      expect(text).toContain('"prf":{"enabled":true}');
      expect(text).toMatch(/"maskedEmail":"..\*\*\*@mail.example.com"/);
    });

    test("every main factor verifies itself and recovers, and puts a device on the backup", async () => {
      for (const user of users) await everyMainFactorRecovers(service().client, user);
    });

    test("every sync factor reads metadata, syncs and manages", async () => {
      for (const user of users) await everySyncFactorManages(service().client, user);
      expect(await Array.fromAsync(service().services.stores.records.list())).toEqual([]);
      expect(await Array.fromAsync(service().services.stores.records.listFactors())).toEqual([]);
    });

    test("what was deleted here does not come back with another import, years later", async () => {
      service().clock.advance(3 * 365 * 24 * 60 * 60 * 1000);
      await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
      const { stores } = service().services;
      const { clock } = service();
      const counts = newImportCounts();
      const run = {
        source,
        stores,
        issuers: ISSUERS,
        clock,
        random: systemRandom,
        since: null,
        dryRun: false,
        counts,
      };
      expect(await Array.fromAsync(importBackups(run))).toEqual([]);
      expect(counts).toMatchObject({ imported: 0, alreadyThere: users.length });
      expect(await Array.fromAsync(stores.records.list())).toEqual([]);
    });
  });
