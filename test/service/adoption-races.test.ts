/** Requests, processes and an import that take the same backups over at the same time. */
import { describe, expect, test } from "bun:test";
import { importBackups, verifyImport } from "../../src/maintenance/import/import.ts";
import { newImportCounts } from "../../src/maintenance/import/run.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { openLegacySource } from "../../src/storage/aws/legacy/source.ts";
import { DRIVERS } from "../drivers.ts";
import { type AdoptionWorld, adoptionWorld, interceptedSource } from "../support/adopting-service.ts";
import { newPasskey, proven, recoveredBy } from "../support/factors.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { LEGACY_OPTIONS } from "../support/legacy-stores.ts";
import { type LegacyUser, legacyKeypair, legacyPasskey, legacyUser } from "../support/legacy-users.ts";
import { firstMain } from "../support/moved-in-users.ts";
import type { TestService } from "../support/service.ts";
import { interleaving } from "../support/store-wrappers.ts";
import { solved } from "../support/users.ts";

const ISSUERS = { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" };

/** How many are at once: a request waits 6 s for the other service, which on a busy machine is no time for many. */
const REQUESTS = 20;
/** Each is asked for by two requests at once, so that there are as many. */
const USERS = REQUESTS / 2;

const mixedUsers = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    legacyUser({
      mains: index % 3 === 0 ? [legacyPasskey(newPasskey())] : [legacyKeypair(), legacyKeypair()],
      ...(index % 4 === 0 ? { contentBytes: 300_000 } : {}),
    }),
  );

/** Everything of these users is here, once, and the states of as many deleted backups. */
async function expectAllOnce(
  { services }: TestService,
  users: readonly LegacyUser[],
  deleted = 0,
): Promise<void> {
  const { records, blobs } = services.stores;
  await services.background.settled();
  expect((await Array.fromAsync(records.list())).map(({ backupId }) => backupId).sort()).toEqual(
    users.map(({ id }) => id).sort(),
  );
  expect(await Array.fromAsync(blobs.list())).toHaveLength(users.length + deleted);
  expect(await brokenInvariantsOfAll(services.stores)).toEqual([]);
}

/** What an import beside it does, and that it finds nothing to do or to say afterwards. */
async function imported({ legacy, clock }: AdoptionWorld, { services }: TestService) {
  await using source = openLegacySource(legacy.location, LEGACY_OPTIONS);
  const { stores } = services;
  const counts = newImportCounts();
  const base = { source, stores, issuers: ISSUERS, clock, random: systemRandom, since: null, dryRun: false };
  expect(await Array.fromAsync(importBackups({ ...base, counts }))).toEqual([]);
  expect(await Array.fromAsync(verifyImport({ ...base, counts: newImportCounts() }, stores))).toEqual([]);
  return counts;
}

for (const driver of DRIVERS)
  describe(`adoption at the same time, on ${driver.name}`, () => {
    test(`${REQUESTS} requests for one backup take it over once, at the cost of one`, async () => {
      await using world = await adoptionWorld(driver);
      const service = await world.start({ wrapStores: interleaving });
      const { client } = service;
      const passkey = newPasskey();
      const user = legacyUser({ mains: [legacyPasskey(passkey), legacyKeypair()], contentBytes: 300_000 });
      await world.legacy.add(user);
      const requests = await Promise.all(
        Array.from({ length: REQUESTS }, (_, index) =>
          index % 2 === 0
            ? proven(client, "verify-factor", passkey)
            : proven(client, "verify-factor", user.mains[1] ?? passkey),
        ),
      );
      const responses = await Promise.all(requests.map((request) => client.verifyFactor(request)));
      for (const response of responses) expect(response.ok().backupId).toBe(user.id);
      expect(world.calls.filter((call) => call === "source.ciphertextPieces")).toHaveLength(1);
      expect(await service.services.metrics.text()).toContain('adoptions_total{outcome="adopted"} 1\n');
      await expectAllOnce(service, [user]);
    });

    test("two processes on one storage take each backup over once", async () => {
      await using world = await adoptionWorld(driver);
      const [one, two] = [await world.start(), await world.start()];
      const users = mixedUsers(USERS);
      await world.legacy.add(...users);
      await Promise.all(
        users.flatMap((user) =>
          [one, two].map(async ({ client }) => {
            const { backup } = await recoveredBy(client, firstMain(user));
            expect(backup).toBe(Buffer.from(user.content).toString("base64"));
          }),
        ),
      );
      await Promise.all([one, two].map(({ services }) => services.background.settled()));
      await expectAllOnce(one, users);
      expect(await imported(world, two)).toMatchObject({ imported: 0, alreadyThere: users.length });
    });

    test("an import beside it takes over the rest, and no more", async () => {
      await using world = await adoptionWorld(driver);
      const service = await world.start();
      const { client } = service;
      const users = mixedUsers(USERS);
      await world.legacy.add(...users);
      const [counts] = await Promise.all([
        imported(world, service),
        ...users.map(async (user) => recoveredBy(client, firstMain(user))),
      ]);
      expect(counts.imported + counts.alreadyThere).toBe(users.length);
      await expectAllOnce(service, users);
      expect(await imported(world, service)).toMatchObject({ imported: 0, alreadyThere: users.length });
    });

    test("an import takes over again what has changed there since, and not here", async () => {
      await using world = await adoptionWorld(driver);
      const service = await world.start();
      const { client } = service;
      const [read, synced] = [legacyUser(), legacyUser()];
      await world.legacy.add(read, synced);
      await recoveredBy(client, firstMain(read));
      const [sync] = synced.syncs;
      if (sync === undefined) throw new Error("the user has no sync factor");
      const newManifestHash = "0".repeat(64);
      const payload = {
        ...(await solved(client, "sync", sync)),
        currentManifestHash: synced.manifestHash,
        newManifestHash,
      };
      (await client.sync(payload, new Uint8Array(10))).ok();

      const later = legacyUser();
      for (const user of [read, synced]) {
        await world.legacy.putObject(`${user.id}/backups/later`, later.content);
        const metadata = { ...user.metadata, manifestHash: later.manifestHash, archiveId: "later" };
        await world.legacy.putObject(`${user.id}/metadata`, JSON.stringify(metadata));
      }
      await using source = openLegacySource(world.legacy.location, LEGACY_OPTIONS);
      const counts = newImportCounts();
      const { stores } = service.services;
      const run = { source, stores, issuers: ISSUERS, clock: world.clock, random: systemRandom };
      await Array.fromAsync(importBackups({ ...run, since: null, dryRun: false, counts }));
      expect(counts).toMatchObject({ imported: 1, alreadyThere: 1 });
      expect((await recoveredBy(client, firstMain(read))).metadata.manifestHash).toBe(later.manifestHash);
      expect((await recoveredBy(client, firstMain(synced))).metadata.manifestHash).toBe(newManifestHash);
    });

    test("a deletion that another process makes in between stands", async () => {
      await using world = await adoptionWorld(driver);
      const user = legacyUser();
      const [sync] = user.syncs;
      if (sync === undefined) throw new Error("the user has no sync factor");
      const fast = await world.start();
      let isDeleted = false;
      const slow = await world.start({
        wrapOtherService: (source) =>
          interceptedSource(source, async (call, run) => {
            const result = await run();
            if (call === "source.ciphertextPieces" && !isDeleted) {
              isDeleted = true;
              const proof = await solved(fast.client, "delete-backup", sync);
              (await fast.client.deleteBackup(proof)).ok();
            }
            return result;
          }),
      });
      await world.legacy.add(user);
      const proof = await proven(slow.client, "verify-factor", firstMain(user));
      expect((await slow.client.verifyFactor(proof)).code()).toBe("backup_untraceable");
      expect(isDeleted).toBe(true);
      await expectAllOnce(slow, [], 1);
    });

    test("an adoption whose client has gone is finished", async () => {
      await using world = await adoptionWorld(driver);
      const user = legacyUser({ contentBytes: 300_000 });
      const reached = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      const service = await world.start({
        wrapOtherService: (source) =>
          interceptedSource(source, async (call, run) => {
            if (call === "source.ciphertextPieces") {
              reached.resolve();
              await held.promise;
            }
            return run();
          }),
      });
      await world.legacy.add(user);
      const proof = await proven(service.client, "verify-factor", firstMain(user));
      const leaving = new AbortController();
      const request = fetch(`${service.url}/v1/verify-factor`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(proof),
        signal: leaving.signal,
      });
      await reached.promise;
      leaving.abort();
      await expect(request).rejects.toThrow();
      held.resolve();
      await expectAllOnce(service, [user]);
    });
  });
