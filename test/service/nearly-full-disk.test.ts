/** A service whose disk is nearly full: creates are refused, all other operations go on. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { blobKeys } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  createPayload,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  resetRequest,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

const RESERVE = 512 * 1024 * 1024;

async function fixture(driver: (typeof DRIVERS)[number], env: Record<string, string> = {}) {
  const disk = { free: RESERVE };
  const hooks = { beforePut: () => {} };
  const service = await startService(driver, {
    env,
    wrapStores: ({ records, blobs }) => ({
      records,
      blobs: replaced(blobs, {
        freeBytes: async () => disk.free,
        put(backupId, content) {
          hooks.beforePut();
          return blobs.put(backupId, content);
        },
      }),
    }),
  });
  const setFree = (bytes: number) => {
    disk.free = bytes;
    service.clock.advance(1_000);
  };
  return { service, hooks, setFree, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

for (const driver of DRIVERS)
  describe(`below the reserve of free disk (${driver.name})`, () => {
    test("no backup is created, and all else goes on", async () => {
      await using world = await fixture(driver);
      const { service, setFree } = world;
      const { client } = service;
      const [user, other] = [await userWithBackup(client), await userWithBackup(client)];
      const newcomer = newUser();
      const payload = await createPayload(client, newcomer);

      setFree(RESERVE - 1);
      const refused = await client.create(payload, newcomer.backup);
      expect([refused.status, refused.code()]).toEqual([503, "service_unavailable"]);
      expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(await blobKeys(service.services)).toHaveLength(2);

      const { syncFactorToken } = await recovered(client, user);
      const added = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
      (await client.addSyncFactor(added)).ok();
      (await client.sync(await syncPayload(client, user, newManifestHash()), randomBytes(1_000))).ok();
      (await client.verifyFactor(await solved(client, "verify-factor", user.main))).ok();
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      (await client.reset(await resetRequest(client, other))).ok();
      expect((await client.ready()).status).toBe(200);

      setFree(RESERVE);
      (await client.create(payload, newcomer.backup)).ok();
    });

    test("the refusal comes before the body is read", async () => {
      await using world = await fixture(driver);
      world.setFree(0);
      using connection = await openConnection(world.service.url);
      const headers = { "content-type": "multipart/form-data; boundary=x", "content-length": 1_000_000 };
      await connection.write(head("POST", "/v1/create", headers));
      expect((await connection.answer()).status).toBe(503);
    });

    test("a create that is on its way is ended, and leaves nothing", async () => {
      await using world = await fixture(driver);
      const { service, hooks, setFree } = world;
      const user = newUser(randomBytes(3_000_000));
      const payload = await createPayload(service.client, user);
      hooks.beforePut = () => setFree(0); // the body has begun to arrive
      expect((await service.client.create(payload, user.backup)).code()).toBe("service_unavailable");
      expect(await blobKeys(service.services)).toEqual([]);
    });

    test("the log says so once, and the figures show what is free", async () => {
      await using world = await fixture(driver);
      const { service, setFree } = world;
      const user = newUser();
      for (const free of [1_000, 2_000, RESERVE, RESERVE + 1]) {
        setFree(free);
        await service.client.create(await createPayload(service.client, user), user.backup);
      }
      const said = service.logged.map((line): { msg: string; freeBytes?: number } => JSON.parse(line));
      expect(
        said.filter(({ freeBytes }) => freeBytes !== undefined).map(({ msg, freeBytes }) => [msg, freeBytes]),
      ).toEqual([
        ["the disk is too full: no backup is created", 1_000],
        ["backups are created again", RESERVE],
      ]);
      const figures = await (await fetch(`${service.server.metricsUrl}/metrics`)).text();
      expect(figures).toContain(`storage_free_bytes ${RESERVE + 1}\n`);
    });

    test("that is turned off backups are created to the last byte", async () => {
      await using world = await fixture(driver, { MIN_FREE_DISK_BYTES: "0" });
      world.setFree(0);
      await userWithBackup(world.service.client);
    });

    test("a store that is no disk has room, and no figure of it", async () => {
      await using service = await startService(driver);
      const free = await service.services.blobs.freeBytes();
      expect(free === null).toBe(driver.name === "aws");
      const figures = await (await fetch(`${service.server.metricsUrl}/metrics`)).text();
      expect(/^storage_free_bytes \d/m.test(figures)).toBe(free !== null);
    });
  });
