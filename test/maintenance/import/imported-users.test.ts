import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { importBackups, verifyImport } from "../../../src/maintenance/import/import.ts";
import { type ImportRun, newImportCounts } from "../../../src/maintenance/import/run.ts";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openLegacySource } from "../../../src/storage/aws/legacy/source.ts";
import { DRIVERS } from "../../drivers.ts";
import { createFactorKeypair } from "../../support/factor-keypair.ts";
import { factorService, proven, recoveredBy, removeFactor } from "../../support/factors.ts";
import { brokenInvariantsOfAll } from "../../support/invariants.ts";
import { LEGACY_OPTIONS, type LegacyStores, newLegacyStores } from "../../support/legacy-stores.ts";
import { type LegacyUser, usersOfEveryForm } from "../../support/legacy-users.ts";
import { addSyncFactorRequest, newManifestHash, randomBytes, solved } from "../../support/users.ts";

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
      const { client } = service();
      for (const user of users) {
        for (const main of user.mains) {
          const { backupId } = (await client.verifyFactor(await proven(client, "verify-factor", main))).ok();
          expect(backupId).toBe(user.id);
          const { backup, metadata } = await recoveredBy(client, main);
          expect(backup).toBe(Buffer.from(user.content).toString("base64"));
          expect(metadata).toMatchObject({ id: user.id, manifestHash: user.manifestHash });
        }
        if (user.syncs.length >= 25) continue;
        const [main] = user.mains;
        if (main === undefined) throw new Error("the user has no main factor");
        const { syncFactorToken } = await recoveredBy(client, main);
        const request = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
        expect((await client.addSyncFactor(request)).ok().backupId).toBe(user.id);
      }
    });

    test("every sync factor reads metadata, syncs and manages", async () => {
      const { client } = service();
      for (const user of users) {
        const content = randomBytes(200);
        let current = user.manifestHash;
        for (const sync of user.syncs) {
          const proof = await solved(client, "retrieve-metadata", sync);
          const metadata = (await client.retrieveMetadata({ ...proof, backupId: user.id })).ok();
          expect(metadata).toMatchObject({ id: user.id, manifestHash: current });
          const next = newManifestHash();
          const payload = {
            ...(await solved(client, "sync", sync)),
            currentManifestHash: current,
            newManifestHash: next,
          };
          expect((await client.sync(payload, content)).ok().backupId).toBe(user.id);
          current = next;
        }
        expect((await client.backupStatus({ backupId: user.id })).ok().factors).toHaveLength(
          user.mains.length,
        );
        const [sync] = user.syncs;
        if (sync === undefined) throw new Error("the user has no sync factor");
        const factorId = idOfFirst(user);
        const { backupDeleted } = (await removeFactor(client, sync, factorId)).ok();
        expect(backupDeleted).toBe(user.mains.length === 1);
        if (backupDeleted) continue;
        (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
      }
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

function idOfFirst({ metadata }: LegacyUser): string {
  const { factors } = metadata as { factors: { id: string }[] };
  return factors[0]?.id ?? "";
}
