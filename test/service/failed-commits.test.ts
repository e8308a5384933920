/** Uploads whose commit fails or comes too late: what is answered, and whether the new ciphertext stays. */
import { describe, expect, test } from "bun:test";
import { createSweep } from "../../src/maintenance/sweep.ts";
import {
  ChangeRefused,
  NotCommitted,
  type RecordStore,
  StorageUnavailable,
} from "../../src/storage/contract.ts";
import { DRIVERS, type Driver } from "../drivers.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { startService, type TestService } from "../support/service.ts";
import { blobKeys, storedRecord } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  createPayload,
  newUser,
  recovered,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

const HOUR_MS = 60 * 60 * 1000;

async function fixture(driver: Driver) {
  const calls: { around: Interceptor } = { around: (_call, run) => run() };
  const service = await startService(driver, {
    wrapStores: (stores) => interceptedStores(stores, (call, run) => calls.around(call, run)),
  });
  service.clock.set(Date.now()); // ciphertexts are as old as their store says
  return { service, calls, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

/** The two operations that bring new content, each with a user of its own and the request to send. */
const UPLOADS = {
  async create({ client }: TestService) {
    const user = newUser();
    const payload = await createPayload(client, user);
    return { user, isThere: false, send: () => client.create(payload, user.backup) };
  },
  async sync({ client }: TestService) {
    const user = await userWithBackup(client);
    const payload = await syncPayload(client, user);
    return { user, isThere: true, send: () => client.sync(payload, Buffer.from("new content")) };
  },
};

const FAILURES: readonly (readonly [name: string, error: Error, status: number])[] = [
  ["a full disk", new NotCommitted("the database cannot be written now"), 503],
  ["a store that refuses the change for good", new ChangeRefused("too large"), 500],
];

/** Gives a record a new time of change. */
async function touch({ records }: { readonly records: RecordStore }, backupId: string): Promise<void> {
  const { revision, blob, metadata, versions } = await storedRecord({ records }, backupId);
  await records.commit({ backupId, expect: { revision }, next: { blob, metadata, versions } });
}

for (const driver of DRIVERS)
  for (const [operation, prepare] of Object.entries(UPLOADS))
    describe(`a ${operation} (${driver.name})`, () => {
      for (const [name, error, status] of FAILURES)
        test(`whose commit fails for ${name} leaves no ciphertext, and can be repeated`, async () => {
          await using world = await fixture(driver);
          const { service, calls } = world;
          const upload = await prepare(service);
          const before = await blobKeys(service.services);
          calls.around = (call, run) => (call === "records.commit" ? Promise.reject(error) : run());
          expect((await upload.send()).status).toBe(status);
          calls.around = (_call, run) => run();
          expect(await blobKeys(service.services)).toEqual(before);
          if (upload.isThere)
            expect((await recovered(service.client, upload.user)).backup).toBe(
              Buffer.from(upload.user.backup).toString("base64"),
            );
          (await upload.send()).ok();
          expect(await blobKeys(service.services)).toHaveLength(upload.isThere ? 2 : 1);
        });

      test("whose commit may have been made keeps its ciphertext", async () => {
        await using world = await fixture(driver);
        const { service, calls } = world;
        const upload = await prepare(service);
        calls.around = async (call, run) => {
          const result = await run();
          if (call === "records.commit") throw new StorageUnavailable("the answer was lost");
          return result;
        };
        expect((await upload.send()).status).toBe(503);
        calls.around = (_call, run) => run();
        expect((await upload.send()).code()).toBe("already_used");
        await recovered(service.client, upload.user);
      });

      test("of a process that was suspended for a quarter of an hour before its commit is refused", async () => {
        await using world = await fixture(driver);
        const { service, calls } = world;
        const upload = await prepare(service);
        const before = await blobKeys(service.services);
        calls.around = (call, run) => {
          if (call === "records.commit") service.clock.advance(HOUR_MS / 4);
          return run();
        };
        const answer = await upload.send();
        expect([answer.status, answer.code()]).toEqual([503, "service_unavailable"]);
        expect(await blobKeys(service.services)).toEqual(before);
      });

      test("of a process that was suspended for hours before its commit is refused, and leaves nothing", async () => {
        await using world = await fixture(driver);
        const { service, calls } = world;
        const { client, services, clock } = service;
        const other = await userWithBackup(client); // the sweep does nothing where ciphertexts outnumber backups
        const upload = await prepare(service);
        const before = await blobKeys(services);
        calls.around = async (call, run) => {
          if (call === "records.commit") {
            calls.around = (_call, run) => run();
            clock.advance(2 * HOUR_MS);
            await touch(services, other.account.backupAccountId); // nor where no record is as young as they are
            const sweep = createSweep({ ...services, ...services.stores }); // by another process
            await sweep();
            // blobs of a backup without a record are removed by the doctor only, if the store says which backup they are of
            const unreferencedBlobs = driver.name === "aws" && !upload.isThere ? 0 : 1;
            expect(await sweep()).toMatchObject({ unreferencedBlobs, refusal: null });
          }
          return run();
        };
        const answer = await upload.send();
        expect([answer.status, answer.code()]).toEqual([503, "service_unavailable"]);
        expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
        if (upload.isThere)
          expect((await recovered(client, upload.user)).backup).toBe(
            Buffer.from(upload.user.backup).toString("base64"),
          );
        else
          expect((await client.backupStatus({ backupId: upload.user.account.backupAccountId })).status).toBe(
            404,
          );
      });
    });

for (const driver of DRIVERS)
  test(`a sync that cannot read what overtook it leaves no ciphertext (${driver.name})`, async () => {
    await using world = await fixture(driver);
    const { service, calls } = world;
    const upload = await UPLOADS.sync(service);
    const before = await blobKeys(service.services);
    let commits = 0;
    calls.around = async (call, run) => {
      if (call === "records.read" && commits > 0) throw new StorageUnavailable("no connection");
      if (call === "records.commit" && commits++ === 0) {
        const { records } = service.services;
        const { backupAccountId: backupId } = upload.user.account;
        const around = calls.around;
        calls.around = (_call, run) => run();
        const stored = await records.read(backupId);
        if (stored === null) throw new Error("the backup is not stored");
        const { revision, ...next } = stored;
        await records.commit({ backupId, expect: { revision }, next });
        calls.around = around;
      }
      return run();
    };
    expect((await upload.send()).status).toBe(503);
    calls.around = (_call, run) => run();
    expect(await blobKeys(service.services)).toEqual(before);
  });

for (const driver of DRIVERS)
  test.each([
    [4, "ok"],
    [5, "conflicting_lock"],
  ] as const)(
    `a sync that is overtaken %d times by changes of the factors is %s (${driver.name})`,
    async (overtaken, outcome) => {
      await using world = await fixture(driver);
      const { service, calls } = world;
      const upload = await UPLOADS.sync(service);
      const before = await blobKeys(service.services);
      let left: number = overtaken;
      const around: Interceptor = async (call, run) => {
        if (call === "records.commit" && left > 0) {
          left--;
          calls.around = (_call, other) => other();
          await touch(service.services, upload.user.account.backupAccountId);
          calls.around = around;
        }
        return run();
      };
      calls.around = around;
      const response = await upload.send();
      calls.around = (_call, run) => run();
      if (outcome === "ok") response.ok();
      else {
        expect(response.code()).toBe(outcome);
        expect(await blobKeys(service.services)).toEqual(before);
      }
      expect(left).toBe(0);
    },
  );

for (const driver of DRIVERS)
  test(`an addition of a sync factor whose commit may have been made is no used token (${driver.name})`, async () => {
    await using world = await fixture(driver);
    const { client } = world.service;
    const { syncFactorToken } = await recovered(client, await userWithBackup(client));
    const request = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
    world.calls.around = async (call, run) => {
      const result = await run();
      if (call === "records.commit") throw new StorageUnavailable("the response was lost");
      return result;
    };
    expect((await client.addSyncFactor(request)).status).toBe(503);
    world.calls.around = (_call, run) => run();
    expect((await client.addSyncFactor(request)).code()).toBe("already_used");
  });
