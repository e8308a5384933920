/** What must not be adopted, and what a request gets then. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { LegacyArchived } from "../../src/storage/legacy.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { type AdoptionWorld, adoptionWorld, interceptedSource } from "../support/adopting-service.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { newKeypair, newPasskey, proven, recoveredBy, removeFactor } from "../support/factors.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { type LegacyUser, legacyKeypair, legacyPasskey, legacyUser } from "../support/legacy-users.ts";
import { firstMain, mainFactorIds } from "../support/moved-in-users.ts";
import type { TestService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { createPayload, newUser, resetRequest, solved, userWithBackup } from "../support/users.ts";

const YEARS_MS = 3 * 365 * 24 * 60 * 60 * 1000;

async function inWorld(
  driver: Driver,
  act: (world: AdoptionWorld, service: TestService) => Promise<void>,
): Promise<void> {
  await using world = await adoptionWorld(driver);
  await act(world, await world.start());
}

function syncOf({ syncs }: LegacyUser) {
  const [sync] = syncs;
  if (sync === undefined) throw new Error("the user has no sync factor");
  return sync;
}

const verify = async (client: ApiClient, main: LegacyUser["mains"][number]) =>
  client.verifyFactor(await proven(client, "verify-factor", main));

const readMetadata = async (client: ApiClient, user: LegacyUser) =>
  client.retrieveMetadata(await solved(client, "retrieve-metadata", syncOf(user)));

/** The code of each way to ask for a backup. */
async function codesOf(client: ApiClient, user: LegacyUser) {
  return [
    (await verify(client, firstMain(user))).code(),
    (await readMetadata(client, user)).code(),
    (await client.backupStatus({ backupId: user.id })).code(),
  ];
}

/** The pieces of a ciphertext that S3 reads only after a restore. */
async function* archived(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10);
  throw new LegacyArchived();
}

const GONE = ["backup_untraceable", "backup_untraceable", "not_found"];
/** How many lookups one address has in progress at a time. */
const LOOKUPS_OF_ONE = 24;
const UNAVAILABLE = ["service_unavailable", "service_unavailable", "service_unavailable"];

for (const driver of DRIVERS)
  describe(`adoption on ${driver.name}`, () => {
    test("does not bring back what was deleted or reset here, however long ago", () =>
      inWorld(driver, async ({ legacy, clock }, { client, services }) => {
        const account = createAccountKeypair();
        const [deleted, emptied, reset, untouched] = [
          legacyUser(),
          legacyUser(),
          legacyUser({ id: account.backupAccountId }),
          legacyUser(),
        ];
        await legacy.add(deleted, emptied, reset, untouched);
        (await client.deleteBackup(await solved(client, "delete-backup", syncOf(deleted)))).ok();
        const { backupDeleted } = (
          await removeFactor(client, syncOf(emptied), mainFactorIds(emptied)[0] ?? "")
        ).ok();
        expect(backupDeleted).toBe(true);
        (await client.reset(await resetRequest(client, { ...newUser(), account }))).ok();

        for (const elapsedMs of [0, YEARS_MS]) {
          clock.advance(elapsedMs);
          for (const user of [deleted, emptied, reset]) expect(await codesOf(client, user)).toEqual(GONE);
        }
        expect(await Array.fromAsync(services.stores.records.list())).toEqual([]);
        expect(await collectLeftovers(services.stores)).toBeGreaterThan(0);
        expect(await Array.fromAsync(services.stores.blobs.list())).toEqual([]);

        // the id and the factors are free again, and a second deletion stands too
        const again = { ...newUser(), account, main: newKeypair().keypair };
        await userWithBackup(client, again);
        (await client.deleteBackup(await solved(client, "delete-backup", again.sync))).ok();
        expect(await codesOf(client, reset)).toEqual(GONE);
        expect((await verify(client, firstMain(untouched))).ok().backupId).toBe(untouched.id);
      }));

    test("a deletion that is repeated because its response was lost succeeds again", () =>
      inWorld(driver, async ({ legacy }, { client }) => {
        const user = legacyUser();
        await legacy.add(user);
        for (let count = 0; count < 2; count++)
          (await client.deleteBackup(await solved(client, "delete-backup", syncOf(user)))).ok();
      }));

    test("a factor that was removed here stays out, and may be used elsewhere", () =>
      inWorld(driver, async ({ legacy, calls }, { client, services }) => {
        const removed = newKeypair();
        const user = legacyUser({ mains: [legacyKeypair(removed), legacyKeypair()], syncs: 2 });
        await legacy.add(user);
        (await removeFactor(client, syncOf(user), mainFactorIds(user)[0] ?? "")).ok();
        const { revision } = (await services.stores.records.read(user.id)) ?? {};
        const adoptions = () => calls.filter((call) => call === "source.ciphertextPieces").length;
        expect(adoptions()).toBe(1);
        expect((await verify(client, removed)).code()).toBe("backup_untraceable");
        const next = { ...newUser(), main: removed.keypair };
        expect((await client.create(await createPayload(client, next), next.backup)).status).toBe(200);
        expect((await verify(client, removed)).ok().backupId).toBe(next.account.backupAccountId);
        expect((await services.stores.records.read(user.id))?.revision).toBe(revision ?? "");
        (await client.deleteBackup(await solved(client, "delete-backup", syncOf(user)))).ok();
        expect((await verify(client, user.mains[1] ?? removed)).code()).toBe("backup_untraceable");
        expect(adoptions()).toBe(1);
      }));

    test("a factor leads to the one of two backups that the table names", () =>
      inWorld(driver, async ({ legacy }, { client, services }) => {
        const shared = legacyKeypair();
        const [other, owner] = [
          legacyUser({ mains: [shared, legacyKeypair()] }),
          legacyUser({ mains: [shared] }),
        ];
        await legacy.add(other, owner); // its row was written last
        const [, second] = other.mains;
        expect((await verify(client, second ?? shared.factor)).ok().backupId).toBe(other.id);
        expect((await verify(client, shared.factor)).ok().backupId).toBe(owner.id);
        expect(await Array.fromAsync(services.stores.records.list())).toHaveLength(2);
      }));

    test("a factor with a stale row, or with none, leads nowhere, as in the other service", () =>
      inWorld(driver, async ({ legacy }, { client }) => {
        const [rowless, listedByNobody] = [legacyKeypair(), newKeypair()];
        const user = legacyUser({ mains: [legacyKeypair(), rowless] });
        await legacy.add({
          ...user,
          rows: user.rows.filter(({ key }) => !key.endsWith(rowless.factor.ref.key)),
        });
        await legacy.putRow(`MAIN#${listedByNobody.ref.key}`, user.id);
        expect((await verify(client, listedByNobody)).code()).toBe("backup_untraceable");
        expect((await verify(client, rowless.factor)).code()).toBe("backup_untraceable");
        expect((await verify(client, firstMain(user))).ok().backupId).toBe(user.id);
      }));

    test("a backup with more factors than one commit indexes lets each of them recover", () =>
      inWorld(driver, async ({ legacy }, { client, services }) => {
        const user = legacyUser({ mains: Array.from({ length: 120 }, () => legacyKeypair()) });
        await legacy.add(user);
        // the factor whose request adopts is the last one
        expect((await readMetadata(client, user)).status).toBe(200);
        for (const main of [...user.mains.slice(0, 2), ...user.mains.slice(88)])
          expect((await verify(client, main)).ok().backupId).toBe(user.id);
        expect(await brokenInvariantsOfAll(services.stores)).toEqual([]);
      }));

    test("what is torn there is unavailable and named in the log, and stops nobody else", () =>
      inWorld(driver, async ({ legacy }, { client, services, logged }) => {
        const torn = {
          "the ciphertext is missing": legacyUser(),
          "the ciphertext is empty": legacyUser(),
          "the metadata is not JSON": legacyUser(),
          "the metadata cannot be read at /factors": legacyUser(),
          "the metadata is that of another backup": legacyUser(),
          "the metadata cannot be read at /factors/0/kind": legacyUser({
            mains: [{ ...legacyKeypair(), kind: { kind: "VOICE" } }],
          }),
          "stored metadata has schema version 99": legacyUser({ more: { schemaVersion: 99 } }),
        };
        const sound = legacyUser();
        await legacy.add(sound, ...Object.values(torn));
        const [missing, empty, noJson, unreadable, elsewhere] = Object.values(torn).map(
          ({ id, ciphertextKey }) => ({ metadata: `${id}/metadata`, ciphertext: ciphertextKey }),
        );
        await legacy.deleteObject(missing?.ciphertext ?? "");
        await legacy.putObject(empty?.ciphertext ?? "", "");
        await legacy.putObject(noJson?.metadata ?? "", "ada@example.com");
        await legacy.putObject(unreadable?.metadata ?? "", '{"id":"x","secret":"ada@example.com"}');
        await legacy.putObject(elsewhere?.metadata ?? "", JSON.stringify(sound.metadata));

        for (const [problem, user] of Object.entries(torn)) {
          expect(await codesOf(client, user)).toEqual(UNAVAILABLE);
          const backup = createHash("sha256").update(user.id).digest("hex").slice(0, 16);
          const lines = logged.filter((line) => line.includes(backup));
          expect(lines).toHaveLength(3);
          for (const line of lines) expect(line).toContain(problem);
        }
        expect(logged.join("")).not.toContain("ada@example.com");
        expect((await verify(client, firstMain(sound))).ok().backupId).toBe(sound.id);
        expect(await Array.fromAsync(services.stores.records.list())).toHaveLength(1);
        expect(await Array.fromAsync(services.stores.blobs.list())).toHaveLength(1);
        expect(await services.metrics.text()).toContain('adoptions_total{outcome="failed"} 21\n');
      }));

    test("a ciphertext in an archive of S3 is named as such in the log", async () => {
      await using world = await adoptionWorld(driver);
      const { client, services, logged } = await world.start({
        wrapOtherService: (source) =>
          replaced(source, {
            ciphertextPieces: async () => archived(),
          }),
      });
      const user = legacyUser();
      await world.legacy.add(user);
      expect(await codesOf(client, user)).toEqual(UNAVAILABLE);
      const reported = logged.filter((line) => line.includes("could not be moved in"));
      expect(reported).toHaveLength(3);
      for (const line of reported) expect(line).toContain("moved to an archive of S3");
      expect(await Array.fromAsync(services.stores.blobs.list())).toEqual([]);
    });

    test("while the other service's stores do not respond, only what is unknown is unavailable", async () => {
      await using world = await adoptionWorld(driver);
      let isOut = false;
      const { client, services } = await world.start({
        wrapOtherService: (source) =>
          interceptedSource(source, async (_call, run) => {
            if (isOut) throw new StorageUnavailable("the test refuses this call");
            return run();
          }),
      });
      const passkey = newPasskey();
      const [known, unknown] = [legacyUser(), legacyUser({ mains: [legacyPasskey(passkey)] })];
      await world.legacy.add(known, unknown);
      await verify(client, firstMain(known));

      isOut = true;
      const asked = world.calls.length;
      expect((await verify(client, firstMain(known))).ok().backupId).toBe(known.id);
      expect((await client.backupStatus({ backupId: known.id })).status).toBe(200);
      expect(world.calls).toHaveLength(asked);
      const request = await proven(client, "verify-factor", passkey);
      const refused = await client.verifyFactor(request);
      expect([refused.status, refused.body]).toMatchObject([503, { allowRetry: true }]);
      expect(await codesOf(client, unknown)).toEqual(UNAVAILABLE);
      const stranger = newUser();
      const payload = await createPayload(client, stranger);
      expect((await client.create(payload, stranger.backup)).code()).toBe("service_unavailable");

      expect(await services.metrics.text()).not.toContain('adoptions_total{outcome="failed"}');

      isOut = false;
      expect((await client.verifyFactor(request)).ok().backupId).toBe(unknown.id); // the same challenge is good still
      expect((await client.create(payload, stranger.backup)).status).toBe(200);
    });

    test("while the other service's stores hang, what is known is served, to the address that waits for them too", async () => {
      await using world = await adoptionWorld(driver);
      const held = Promise.withResolvers<void>();
      const occupied = Promise.withResolvers<void>();
      let hangs = false;
      let hanging = 0;
      const { client } = await world.start({
        wrapOtherService: (source) =>
          interceptedSource(source, async (_call, run) => {
            if (hangs && ++hanging === LOOKUPS_OF_ONE) occupied.resolve();
            if (hangs) await held.promise;
            return run();
          }),
      });
      const [known, unknown] = [legacyUser(), legacyUser()];
      await world.legacy.add(known, unknown);
      await verify(client, firstMain(known));
      hangs = true;
      const waiting = Array.from({ length: LOOKUPS_OF_ONE - 1 }, () =>
        client.backupStatus({ backupId: createAccountKeypair().backupAccountId }),
      );
      waiting.push(client.backupStatus({ backupId: unknown.id }));
      await occupied.promise;
      expect((await recoveredBy(client, firstMain(known))).metadata.id).toBe(known.id);
      expect((await readMetadata(client, known)).status).toBe(200);
      (await client.deleteBackup(await solved(client, "delete-backup", syncOf(known)))).ok();
      expect((await client.backupStatus({ backupId: known.id })).status).toBe(404);
      held.resolve();
      const statuses = (await Promise.all(waiting)).map(({ status }) => status);
      expect(statuses).toEqual([...Array.from({ length: LOOKUPS_OF_ONE - 1 }, () => 404), 200]);
    });

    test.each([
      ["endpoint", { ADOPT_FROM_AWS_ENDPOINT_URL: "http://127.0.0.1:9" }],
      [
        "bucket or table",
        { ADOPT_FROM_S3_BUCKET: "no-such-bucket", ADOPT_FROM_DYNAMODB_TABLE: "no-such-table" },
      ],
    ])("a wrong %s is reported in the log, and never makes a user unknown", async (_what, env) => {
      await using world = await adoptionWorld(driver);
      const { client, services, logged } = await world.start({ env });
      const user = legacyUser();
      await world.legacy.add(user);
      const asked = [verify(client, firstMain(user)), client.backupStatus({ backupId: user.id })]; // each waits for 6 s
      for (const response of await Promise.all<ApiResponse<unknown>>(asked))
        expect(response.code()).toBe("service_unavailable");
      await services.background.settled();
      expect(logged.join("")).toContain("reach the stores of the other service");
    });

    test("one address cannot occupy the other service's stores", async () => {
      await using world = await adoptionWorld(driver);
      const held = Promise.withResolvers<void>();
      const user = legacyUser();
      await world.legacy.add(user);
      const { clientFrom } = await world.start({
        env: { TRUSTED_PROXY_HOPS: "1" },
        wrapOtherService: (source) =>
          replaced(source, {
            async metadata(backupId) {
              if (backupId !== user.id) await held.promise;
              return source.metadata(backupId);
            },
          }),
      });
      const flood = Array.from({ length: 80 }, () =>
        clientFrom("192.0.2.1").backupStatus({ backupId: createAccountKeypair().backupAccountId }),
      );
      expect((await clientFrom("192.0.2.2").backupStatus({ backupId: user.id })).status).toBe(200);
      held.resolve();
      for (const response of await Promise.all(flood)) expect(response.code()).toBe("not_found");
    });

    test.each([
      ["stays", 200],
      ["is deleted", 503],
    ])("a source in use is read in one state, where the replaced content %s", async (fate, status) => {
      await using world = await adoptionWorld(driver);
      const [before, after] = [legacyUser({ contentBytes: 300_000 }), legacyUser({ contentBytes: 300_000 })];
      const main = firstMain(before);
      let changes = 0;
      const { client, services } = await world.start({
        wrapOtherService: (source) =>
          interceptedSource(source, async (call, run) => {
            const result = await run();
            if (call === "source.ciphertextPieces" && changes++ === 0) {
              await world.legacy.putObject(`${before.id}/backups/next`, after.content);
              const metadata = {
                ...before.metadata,
                manifestHash: after.manifestHash,
                archiveId: "next",
              };
              await world.legacy.putObject(`${before.id}/metadata`, JSON.stringify(metadata));
              if (fate === "is deleted") await world.legacy.deleteObject(before.ciphertextKey);
            }
            return result;
          }),
      });
      await world.legacy.add(before);
      const first = await client.retrieve(await proven(client, "retrieve", main));
      expect(first.status).toBe(status);
      const { backup, metadata } = await recoveredBy(client, main);
      expect(metadata.manifestHash).toBe(after.manifestHash);
      expect(backup).toBe(Buffer.from(after.content).toString("base64"));
      expect(await brokenInvariantsOfAll(services.stores)).toEqual([]);
      expect(await Array.fromAsync(services.stores.blobs.list())).toHaveLength(1);
    });
  });
