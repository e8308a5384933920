import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { addedSyncFactor } from "../support/proven-calls.ts";
import { RIVALS } from "../support/rivals.ts";
import { sharedService } from "../support/shared-service.ts";
import { interleaving } from "../support/store-wrappers.ts";
import { indexed, rewriteMetadata } from "../support/stored.ts";
import { untilAvailable } from "../support/until-available.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  newUser,
  recovered,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

const LIMIT = 3;
const NO_ID = "00000000-0000-4000-8000-000000000000";

/** A request that puts `phone` in the place of a sync factor. */
async function replacement(
  client: ApiClient,
  user: User,
  phone: FactorKeypair,
  syncFactorToReplace: unknown,
) {
  const { syncFactorToken } = await recovered(client, user);
  return { ...(await addSyncFactorRequest(client, phone, syncFactorToken)), syncFactorToReplace };
}

for (const driver of DRIVERS)
  describe(`add-sync-factor in the place of another (${driver.name})`, () => {
    const service = sharedService(driver, {
      env: { MAX_SYNC_FACTORS: String(LIMIT) },
      wrapStores: interleaving,
    });
    const syncFactorsOf = async (user: User) =>
      (await recovered(service().client, user)).metadata.syncFactors;
    const keysOf = async (user: User) =>
      (await syncFactorsOf(user)).map(({ kind }) => kind.kind === "EC_KEYPAIR" && kind.publicKey);
    const firstId = async (user: User) => (await syncFactorsOf(user))[0]?.id ?? "";
    /** A user with as many sync factors as there may be, or more. */
    const userAtLimit = async (): Promise<User> => {
      const { client } = service();
      const user = await userWithBackup(client);
      for (let count = 1; count < LIMIT; count++) await addedSyncFactor(client, user);
      return user;
    };

    test("the new factor is on the backup, the other one is refused at once", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const phone = createFactorKeypair();
      const pending = await solved(client, "retrieve-metadata", user.sync);
      const request = await replacement(client, user, phone, await firstId(user));

      expect((await client.addSyncFactor(request)).ok()).toEqual({ backupId: backupAccountId });
      expect(await keysOf(user)).toEqual([phone.publicKey]);
      expect((await client.retrieveMetadata(pending)).code()).toBe("backup_untraceable");
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      expect(await indexed(services, "SYNC", phone)).toBe(backupAccountId);
      (await client.sync(await syncPayload(client, { ...user, sync: phone }), user.backup)).ok();
      expect((await client.addSyncFactor(request)).code()).toBe("already_used");
      await userWithBackup(client, { ...newUser(), sync: user.sync }); // free for another backup
    });

    test("at the limit and above it, as on a backup from elsewhere", async () => {
      const { client, services } = service();
      const user = await userAtLimit();
      const phone = createFactorKeypair();
      (await client.addSyncFactor(await replacement(client, user, phone, await firstId(user)))).ok();
      expect(await keysOf(user)).toHaveLength(LIMIT);
      expect((await keysOf(user)).at(-1)).toBe(phone.publicKey);

      await rewriteMetadata(services, user.account.backupAccountId, (metadata) => {
        const more = Array.from({ length: 2 }, () => ({
          id: crypto.randomUUID(),
          createdAt: 1,
          kind: { kind: "EC_KEYPAIR", publicKey: createFactorKeypair().publicKey },
        }));
        return { ...metadata, syncFactors: [...(metadata.syncFactors as never[]), ...more] };
      });
      const tablet = createFactorKeypair();
      (await client.addSyncFactor(await replacement(client, user, tablet, await firstId(user)))).ok();
      expect(await keysOf(user)).toHaveLength(LIMIT + 2);
    });

    test("an unknown id, a main factor's or none is ignored: an addition under the limit", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const { metadata } = await recovered(client, user);
      const ids: readonly unknown[] = [NO_ID, "", metadata.factors[0]?.id, null, undefined];
      for (const id of ids) {
        const count = (await keysOf(user)).length;
        const request = await replacement(client, user, createFactorKeypair(), id);
        const answer = await client.addSyncFactor(request);
        if (count < LIMIT) expect(answer.ok().backupId).toBe(user.account.backupAccountId);
        else expect([answer.status, answer.code()]).toEqual([409, "too_many_factors"]);
      }
      const keys = await keysOf(user);
      expect(keys).toHaveLength(LIMIT);
      expect(keys).toContain(user.sync.publicKey);
    });

    test("that of another backup is ignored", async () => {
      const { client, services } = service();
      const [mine, theirs] = [await userWithBackup(client), await userWithBackup(client)];
      const request = await replacement(client, mine, createFactorKeypair(), await firstId(theirs));
      (await client.addSyncFactor(request)).ok();
      expect(await keysOf(mine)).toHaveLength(2);
      expect(await indexed(services, "SYNC", theirs.sync)).toBe(theirs.account.backupAccountId);
      expect((await metadataOf(client, theirs)).syncFactors).toHaveLength(1);
    });

    test("one that was replaced before the challenge was asked for is unknown", async () => {
      const { client, clock } = service();
      const user = await userWithBackup(client);
      const id = await firstId(user);
      (await client.addSyncFactor(await replacement(client, user, createFactorKeypair(), id))).ok();
      clock.advance(1);
      (await client.addSyncFactor(await replacement(client, user, createFactorKeypair(), id))).ok();
      expect(await keysOf(user)).toHaveLength(2);
    });

    test("a key that is on the backup or on another is refused, and nothing is replaced", async () => {
      const { client } = service();
      const [user, other] = [await userAtLimit(), await userWithBackup(client)];
      const id = await firstId(user);
      for (const keypair of [user.sync, user.main, other.sync]) {
        const request = await replacement(client, user, keypair, id);
        expect((await client.addSyncFactor(request)).code()).toBe("factor_already_exists");
      }
      expect((await keysOf(user))[0]).toBe(user.sync.publicKey);
    });

    test("a replacement that fails leaves its token usable", async () => {
      const { client } = service();
      const user = await userAtLimit();
      const id = await firstId(user);
      const request = await replacement(client, user, createFactorKeypair(), NO_ID);
      expect((await client.addSyncFactor(request)).code()).toBe("too_many_factors");
      (await client.addSyncFactor({ ...request, syncFactorToReplace: id })).ok();
    });

    for (const [where, prepare] of [
      ["at the limit", userAtLimit],
      ["under it", () => userWithBackup(service().client)],
    ] as const)
      test(`${RIVALS[driver.name]} that replace one factor at once, ${where}: one does, and the others change nothing`, async () => {
        const { client, services } = service();
        const user = await prepare();
        const id = await firstId(user);
        const before = await keysOf(user);
        const phones = Array.from({ length: RIVALS[driver.name] }, createFactorKeypair);
        const requests: RequestBody[] = [];
        for (const phone of phones) requests.push(await replacement(client, user, phone, id));
        const answers = await Promise.all(
          requests.map((request) => untilAvailable(() => client.addSyncFactor(request))),
        );

        const winners = phones.filter((_, index) => answers[index]?.status === 200);
        expect(winners).toHaveLength(1);
        const refusals = answers.filter(({ status }) => status !== 200);
        for (const { status, body } of refusals)
          expect([status, body]).toMatchObject([
            423,
            { allowRetry: true, error: { code: "conflicting_lock" } },
          ]);
        expect(await keysOf(user)).toEqual([...before.slice(1), winners[0]?.publicKey ?? ""]);
        for (const phone of phones)
          expect(await indexed(services, "SYNC", phone)).toBe(
            winners.includes(phone) ? user.account.backupAccountId : null,
          );
        expect(await indexed(services, "SYNC", user.sync)).toBeNull();

        const loser = requests.find((_, index) => answers[index]?.status !== 200) ?? {};
        expect((await client.addSyncFactor(loser)).code()).toBe("conflicting_lock");
        (await client.addSyncFactor({ ...loser, syncFactorToReplace: await firstId(user) })).ok();
      });

    test("beside the removal of the same factor: both, or the removal alone", async () => {
      const { client } = service();
      for (let round = 0; round < 5; round++) {
        const user = await userWithBackup(client);
        const phone = createFactorKeypair();
        const id = await addedSyncFactor(client, user);
        const request = await replacement(client, user, phone, id);
        const removal = {
          ...(await solved(client, "delete-factor", user.sync, { factorId: id })),
          factorId: id,
        };
        const [replaced, removed] = await Promise.all([
          client.addSyncFactor(request),
          client.deleteFactor({ ...removal, scope: "SYNC" }),
        ]);
        if (replaced.status !== 200) expect(replaced.code()).toBe("conflicting_lock");
        if (removed.status !== 200) expect(removed.code()).toBe("factor_not_found");
        expect(await keysOf(user)).toEqual(
          replaced.status === 200 ? [user.sync.publicKey, phone.publicKey] : [user.sync.publicKey],
        );
      }
    });
  });
