import { describe, expect, test } from "bun:test";
import { addSyncFactor, addSyncFactorChallenge } from "../../src/protocol/examples/add-sync-factor.ts";
import { retrieve, retrieveKeypairChallenge } from "../../src/protocol/examples/retrieve.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { addedSyncFactor, addSyncFactorCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { indexed, storedRecord } from "../support/stored.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  recovered,
  resetRequest,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";
import { proofContract } from "./proofs.ts";
import {
  authorizationMutations,
  type Change,
  changed,
  jsonRequestContract,
  long,
  tokenMutations,
} from "./requests.ts";

const MINUTE_MS = 60_000;

interface Situation {
  readonly client: ApiClient;
  readonly user: User;
  readonly other: User;
  readonly phone: FactorKeypair;
  readonly syncFactorToken: string;
}

async function situation(client: ApiClient): Promise<Situation> {
  const user = await userWithBackup(client);
  const { syncFactorToken } = await recovered(client, user);
  return { client, user, other: await userWithBackup(client), phone: createFactorKeypair(), syncFactorToken };
}

for (const driver of DRIVERS)
  describe(`add-sync-factor (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [retrieveKeypairChallenge, retrieve, addSyncFactorChallenge, addSyncFactor]));

    const service = sharedService(driver, { env: { MAX_SYNC_FACTORS: "3" } });

    test("refuses a token of a backup that was deleted and created again: its holder is not on that one", async () => {
      const { client } = service();
      const { user, phone, syncFactorToken } = await situation(client);
      (await client.reset(await resetRequest(client, user))).ok();
      await userWithBackup(client, user);
      const refused = await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken));
      expect(refused.code()).toBe("token_not_found");
      expect((await metadataOf(client, user)).syncFactors).toHaveLength(1);
    });

    test("adds a factor to the backup that was recovered, behind the existing ones", async () => {
      const { client, services, clock } = service();
      const { user, phone, syncFactorToken } = await situation(client);
      const { backupAccountId } = user.account;
      const before = await storedRecord(services, backupAccountId);
      clock.advance(5 * MINUTE_MS);

      const answer = await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken));
      expect(answer.ok()).toEqual({ backupId: backupAccountId });
      const metadata = await metadataOf(client, { ...user, sync: phone });
      expect(metadata.syncFactors.map(({ kind }) => kind)).toEqual([
        { kind: "EC_KEYPAIR", publicKey: user.sync.publicKey },
        { kind: "EC_KEYPAIR", publicKey: phone.publicKey },
      ]);
      expect(metadata.syncFactors[1]?.createdAt).toBe(Math.floor(clock.nowMs() / 1000));
      expect(metadata.syncFactors[1]?.id).not.toBe(metadata.syncFactors[0]?.id);
      expect(await indexed(services, "SYNC", phone)).toBe(backupAccountId);
      expect((await storedRecord(services, backupAccountId)).blob).toEqual(before.blob);
    });

    test("takes each token once, by whatever challenge", async () => {
      const { client } = service();
      const { phone, syncFactorToken } = await situation(client);
      (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok();
      const again = await addSyncFactorRequest(client, createFactorKeypair(), syncFactorToken);
      expect((await client.addSyncFactor(again)).code()).toBe("already_used");
    });

    test("takes a token for 15 minutes and no longer", async () => {
      const { client, clock } = service();
      const first = await situation(client);
      clock.advance(15 * MINUTE_MS - 1);
      (
        await client.addSyncFactor(await addSyncFactorRequest(client, first.phone, first.syncFactorToken))
      ).ok();
      const second = await situation(client);
      clock.advance(15 * MINUTE_MS);
      const late = await addSyncFactorRequest(client, second.phone, second.syncFactorToken);
      expect((await client.addSyncFactor(late)).code()).toBe("token_not_found");
    });

    test("leaves token and index as they were when it fails", async () => {
      const { client, services } = service();
      const { user, other, phone, syncFactorToken } = await situation(client);
      const taken = await addSyncFactorRequest(client, other.sync, syncFactorToken);
      expect((await client.addSyncFactor(taken)).code()).toBe("factor_already_exists");
      expect(await indexed(services, "SYNC", other.sync)).toBe(other.account.backupAccountId);
      const own = await addSyncFactorRequest(client, user.main, syncFactorToken);
      expect((await client.addSyncFactor(own)).code()).toBe("factor_already_exists");
      expect(await indexed(services, "SYNC", user.main)).toBeNull();
      (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok();
    });

    test("adds up to the limit, and has room again after a removal", async () => {
      const { client, services } = service();
      const { user, phone, syncFactorToken } = await situation(client);
      const second = createFactorKeypair();
      await addedSyncFactor(client, user, second);
      const third = createFactorKeypair();
      const factorId = await addedSyncFactor(client, user, third);

      const request = await addSyncFactorRequest(client, phone, syncFactorToken);
      const refused = await client.addSyncFactor(request);
      expect([refused.status, refused.code()]).toEqual([409, "too_many_factors"]);
      expect(await indexed(services, "SYNC", phone)).toBeNull();

      const removal = await solved(client, "delete-factor", second, { factorId });
      (await client.deleteFactor({ ...removal, factorId, scope: "SYNC" })).ok();
      expect((await client.addSyncFactor(request)).status).toBe(200);
      expect(await indexed(services, "SYNC", third)).toBeNull();
    });

    test("takes a factor that was removed from another backup", async () => {
      const { client } = service();
      const { user, other, syncFactorToken } = await situation(client);
      (await client.deleteBackup(await solved(client, "delete-backup", other.sync))).ok();
      (await client.addSyncFactor(await addSyncFactorRequest(client, other.sync, syncFactorToken))).ok();
      expect((await metadataOf(client, { ...user, sync: other.sync })).id).toBe(user.account.backupAccountId);
    });

    proofContract(service, addSyncFactorCall);
    jsonRequestContract(
      service,
      "/v1/add-sync-factor",
      async (client) => {
        const { phone, syncFactorToken } = await situation(client);
        return addSyncFactorRequest(client, phone, syncFactorToken);
      },
      [
        ...authorizationMutations("syncFactor"),
        ...tokenMutations("challengeToken"),
        ["without syncFactorToken", { syncFactorToken: undefined }, "/syncFactorToken"],
        ["with syncFactorToken null", { syncFactorToken: null }, "/syncFactorToken"],
        ["with syncFactorToken over 4 KiB", { syncFactorToken: long(4097) }, "/syncFactorToken"],
        ["with syncFactorToReplace 5", { syncFactorToReplace: 5 }, "/syncFactorToReplace"],
        ["with syncFactorToReplace over 4 KiB", { syncFactorToReplace: long(4097) }, "/syncFactorToReplace"],
      ],
    );

    describe("refuses", () => {
      const passkey = { kind: "PASSKEY", credential: {} };
      const account = {
        kind: "OIDC_ACCOUNT",
        oidcToken: { kind: "GOOGLE", token: "x" },
        publicKey: "",
        signature: "",
      };
      type Request = Awaited<ReturnType<typeof addSyncFactorRequest>>;
      type Case = readonly [name: string, change: Change<Request, [situation: Situation]>, code: string];
      const by = async (keypair: FactorKeypair, { client, syncFactorToken }: Situation) =>
        addSyncFactorRequest(client, keypair, syncFactorToken);
      const cases: readonly Case[] = [
        ["a passkey", { syncFactor: passkey }, "invalid_sync_factor_type"],
        ["an account", { syncFactor: account }, "invalid_sync_factor_type"],
        [
          "a passkey before its token",
          { syncFactor: passkey, challengeToken: "x" },
          "invalid_sync_factor_type",
        ],
        ["an empty sync factor token", { syncFactorToken: "" }, "token_not_found"],
        ["a sync factor token of the longest length", { syncFactorToken: long(4096) }, "token_not_found"],
        ["a sync factor token that is no Unicode", { syncFactorToken: "\ud800" }, "token_not_found"],
        [
          "a sync factor token with white space",
          (request) => ({ ...request, syncFactorToken: `${request.syncFactorToken} ` }),
          "token_not_found",
        ],
        [
          "a challenge token as sync factor token",
          (request) => ({ ...request, syncFactorToken: request.challengeToken.slice(0, 4096) }),
          "token_not_found",
        ],
        [
          "a bad challenge before a bad sync factor token",
          { challengeToken: "x", syncFactorToken: "x" },
          "jwt_error",
        ],
        ["the backup's own sync factor", (_, given) => by(given.user.sync, given), "factor_already_exists"],
        ["the backup's own main factor", (_, given) => by(given.user.main, given), "factor_already_exists"],
        [
          "the sync factor of another backup",
          (_, given) => by(given.other.sync, given),
          "factor_already_exists",
        ],
        [
          "a bad sync factor token before a factor that is in use",
          async (_, given) => ({ ...(await by(given.user.sync, given)), syncFactorToken: "x" }),
          "token_not_found",
        ],
        [
          "the token of a backup that is gone",
          async (request, { client, user }) => {
            (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
            return request;
          },
          "backup_not_found",
        ],
        [
          "the token of a backup that was reset",
          async (request, { client, user }) => {
            (await client.reset(await resetRequest(client, user))).ok();
            return request;
          },
          "backup_not_found",
        ],
        [
          "a used token of a backup that is gone",
          async (request, given) => {
            const { client, user } = given;
            (await client.addSyncFactor(await by(createFactorKeypair(), given))).ok();
            (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
            return request;
          },
          "already_used",
        ],
      ];
      for (const [name, change, code] of cases)
        test(`${name}, and adds nothing`, async () => {
          const { client, services } = service();
          const given = await situation(client);
          const request = await addSyncFactorRequest(client, given.phone, given.syncFactorToken);
          const answer = await client.addSyncFactor(await changed(request, change, given));
          expect([answer.status, answer.code()]).toEqual([400, code]);
          expect(await indexed(services, "SYNC", given.phone)).toBeNull();
        });
    });
  });
