/** Removals from a backup while another device removes something, too. */
import { describe, expect, test } from "bun:test";
import { addFactorRequest } from "../crash/scenario.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { Interruptions } from "../support/intercepted-stores.ts";
import { addedSyncFactor } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { interleaving } from "../support/store-wrappers.ts";
import { storedRecord } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  createPayload,
  metadataOf,
  newManifestHash,
  newUser,
  recovered,
  resetRequest,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";

const ROUNDS = 60;

/** A user with so many main factors, all keypairs, and two devices. */
async function owner(client: ApiClient, mainFactors: number) {
  const user = await userWithBackup(client);
  for (let n = 1; n < mainFactors; n++) {
    const addition = await addFactorRequest(client, user.main, createFactorKeypair());
    (await client.addFactor(addition)).ok();
  }
  const phone = createFactorKeypair();
  await addedSyncFactor(client, user, phone);
  const factorIds = (await metadataOf(client, user)).factors.map(({ id }) => id);
  return { user, phone, factorIds };
}

async function removal(client: ApiClient, keypair: User["sync"], factorId = "") {
  return { ...(await solved(client, "delete-factor", keypair, { factorId })), factorId, scope: "MAIN" };
}

function expectConflict(answer: ApiResponse<unknown>): void {
  expect([answer.status, answer.code(), answer.body]).toMatchObject([
    423,
    "conflicting_lock",
    { allowRetry: true },
  ]);
}

for (const driver of DRIVERS)
  describe(`main factors that are removed at once (${driver.name})`, () => {
    const service = sharedService(driver, { wrapStores: interleaving });

    test(`of two one is removed and one stays, ${ROUNDS} times out of ${ROUNDS}`, async () => {
      const { client, clock } = service();
      const outcomes: unknown[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const { user, phone, factorIds } = await owner(client, 2);
        const requests = [
          await removal(client, user.sync, factorIds[0]),
          await removal(client, phone, factorIds[1]),
        ];
        clock.advance(1);
        const answers = await Promise.all(requests.map((request) => client.deleteFactor(request)));
        const { factors } = (
          await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync))
        ).ok();
        outcomes.push([...answers.map(({ status }) => status).toSorted(), factors.length]);
      }
      expect(outcomes).toEqual(Array(ROUNDS).fill([200, 423, 1]));
    });

    test("of three one stays", async () => {
      const { client, clock } = service();
      const { user, factorIds } = await owner(client, 3);
      const requests = [];
      for (const factorId of factorIds) requests.push(await removal(client, user.sync, factorId));
      clock.advance(1);
      const answers = await Promise.all(requests.map((request) => client.deleteFactor(request)));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 423]);
      expect((await metadataOf(client, user)).factors).toHaveLength(1);
    });

    test("one that was asked for before the other stays refused when it is repeated", async () => {
      const { client, clock, services } = service();
      const { user, phone, factorIds } = await owner(client, 2);
      const [first, second] = [
        await removal(client, user.sync, factorIds[0]),
        await removal(client, phone, factorIds[1]),
      ];
      clock.advance(1);
      (await client.deleteFactor(first)).ok();
      const before = await storedRecord(services, user.account.backupAccountId);
      for (let repeat = 0; repeat < 2; repeat++) expectConflict(await client.deleteFactor(second));
      expect(await storedRecord(services, user.account.backupAccountId)).toEqual(before);

      const meant = await removal(client, phone, factorIds[1]);
      expect((await client.deleteFactor(meant)).ok()).toEqual({ backupDeleted: true, backupMetadata: null });
    });

    test("one that follows the other ends the backup", async () => {
      const { client, clock } = service();
      const { user, phone, factorIds } = await owner(client, 2);
      (await client.deleteFactor(await removal(client, user.sync, factorIds[0]))).ok();
      clock.advance(1);
      const last = await removal(client, phone, factorIds[1]);
      expect((await client.deleteFactor(last)).ok().backupDeleted).toBe(true);
    });

    test("one that follows the other ends the backup, also when the clock was ahead at the other", async () => {
      const { client, clock } = service();
      const { user, phone, factorIds } = await owner(client, 2);
      const dayMs = 24 * 60 * 60 * 1000;
      clock.advance(dayMs);
      (await client.deleteFactor(await removal(client, user.sync, factorIds[0]))).ok();
      clock.advance(-dayMs);
      const last = await removal(client, phone, factorIds[1]);
      expect((await client.deleteFactor(last)).ok().backupDeleted).toBe(true);
    });
  });

for (const driver of DRIVERS)
  describe(`a request that lost a race (${driver.name})`, () => {
    const interruptions = new Interruptions();
    const service = sharedService(driver, interruptions);

    test("against the removal of the other main factor changes nothing", async () => {
      const { client, services } = service();
      const { user, phone, factorIds } = await owner(client, 2);
      const [first, second] = [
        await removal(client, user.sync, factorIds[0]),
        await removal(client, phone, factorIds[1]),
      ];
      let between: unknown = null;
      interruptions.before("records.commit", async () => {
        (await client.deleteFactor(first)).ok();
        between = await storedRecord(services, user.account.backupAccountId);
      });
      expectConflict(await client.deleteFactor(second));
      expect<unknown>(await storedRecord(services, user.account.backupAccountId)).toEqual(between);
    });

    test("against the removal of one of three removes its factor", async () => {
      const { client } = service();
      const { user, phone, factorIds } = await owner(client, 3);
      const [first, second] = [
        await removal(client, user.sync, factorIds[0]),
        await removal(client, phone, factorIds[1]),
      ];
      interruptions.before("records.commit", async () => void (await client.deleteFactor(first)).ok());
      (await client.deleteFactor(second)).ok();
      expect((await metadataOf(client, user)).factors.map(({ id }) => id)).toEqual(factorIds.slice(2));
    });

    test("against a sync ends the backup when it removes the only main factor", async () => {
      const { client } = service();
      const { user, phone, factorIds } = await owner(client, 1);
      const request = await removal(client, phone, factorIds[0]);
      const payload = {
        ...(await solved(client, "sync", user.sync)),
        currentManifestHash: user.manifestHash,
        newManifestHash: newManifestHash(),
      };
      interruptions.before("records.commit", async () => void (await client.sync(payload, user.backup)).ok());
      expect((await client.deleteFactor(request)).ok().backupDeleted).toBe(true);
    });

    type Case = readonly [name: string, prepare: (client: ApiClient, user: User) => Promise<Send>];
    type Send = () => Promise<ApiResponse<unknown>>;
    const cases: readonly Case[] = [
      [
        "a deletion",
        async (client, user) => {
          const request = await solved(client, "delete-backup", user.sync);
          return () => client.deleteBackup(request);
        },
      ],
      [
        "a reset",
        async (client, user) => {
          const request = await resetRequest(client, user);
          return () => client.reset(request);
        },
      ],
      [
        "an addition of a main factor",
        async (client, user) => {
          const request = await addFactorRequest(client, user.main, createFactorKeypair());
          return () => client.addFactor(request);
        },
      ],
    ];
    for (const [name, prepare] of cases)
      test(`against a reset and a new creation leaves the new backup alone: ${name}`, async () => {
        const { client, services } = service();
        const user = await userWithBackup(client);
        const { backupAccountId } = user.account;
        const send = await prepare(client, user);
        const reset = await resetRequest(client, user);
        const next = { ...newUser(), account: user.account, main: user.main, sync: user.sync };
        const payload = await createPayload(client, next);
        let created: unknown = null;
        interruptions.before("records.commit", async () => {
          (await client.reset(reset)).ok();
          (await client.create(payload, next.backup)).ok();
          created = await storedRecord(services, backupAccountId);
        });
        expectConflict(await send());
        expect<unknown>(await storedRecord(services, backupAccountId)).toEqual(created);
        expect((await recovered(client, next)).metadata.manifestHash).toBe(next.manifestHash);
      });

    test("a recovery does not mix two backups of one account id, and its proof stays good", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const request = await solved(client, "retrieve", user.main);
      const reset = await resetRequest(client, user);
      const next = { ...newUser(), account: user.account, main: user.main, sync: user.sync };
      const payload = await createPayload(client, next);
      interruptions.before("blobs.get", async () => {
        (await client.reset(reset)).ok();
        (await client.create(payload, next.backup)).ok();
      });
      expectConflict(await client.retrieve(request));
      const { metadata, syncFactorToken } = (await client.retrieve(request)).ok();
      expect(metadata.manifestHash).toBe(next.manifestHash);
      const addition = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
      expect((await client.addSyncFactor(addition)).status).toBe(200);
    });
  });
