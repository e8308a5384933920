import { describe, expect, test } from "bun:test";
import { deleteBackup, deleteBackupChallenge } from "../../src/protocol/examples/delete-backup.ts";
import {
  undelete,
  undeleteChallenge,
  undeletePasskeyChallenge,
} from "../../src/protocol/examples/undelete.ts";
import { DRIVERS } from "../drivers.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { addFactor } from "../support/additions.ts";
import type { ApiClient } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  created,
  createPayloadOf,
  type FactorUser,
  factorService,
  type MainFactor,
  newAccount,
  newFactorUser,
  newKeypair,
  newPasskey,
  proven,
  recoveredBy,
  removeFactor,
  undeletion,
  undeletionRequest,
} from "../support/factors.ts";
import { Interruptions } from "../support/intercepted-stores.ts";
import { RIVALS } from "../support/rivals.ts";
import { startService } from "../support/service.ts";
import { blobKeys, indexedAs } from "../support/stored.ts";
import { untilAvailable } from "../support/until-available.ts";
import {
  addSyncFactorRequest,
  replacedContent,
  resetRequest,
  solved,
  syncPayload,
} from "../support/users.ts";
import {
  authorizationMutations,
  jsonRequestContract,
  long,
  type Mutation,
  tokenMutations,
} from "./requests.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

const MUTATIONS: readonly Mutation[] = [
  ...authorizationMutations("authorization"),
  ...tokenMutations("challengeToken"),
  ["without backupId", { backupId: undefined }, "/backupId"],
  ["with backupId null", { backupId: null }, "/backupId"],
  ["with backupId over 4 KiB", { backupId: long(4 * 1024 + 1) }, "/backupId"],
];

async function deleteIt(client: ApiClient, { sync }: Pick<FactorUser, "sync">): Promise<void> {
  (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
}

async function joined(client: ApiClient, main: MainFactor) {
  const phone = createFactorKeypair();
  const { syncFactorToken } = await recoveredBy(client, main);
  (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok();
  return phone;
}

for (const driver of DRIVERS)
  describe(`undelete (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [deleteBackupChallenge, deleteBackup, undeleteChallenge, undelete]));

    test("hands out a passkey challenge as the API reference shows", () =>
      play(driver, [undeletePasskeyChallenge]));

    const { service, issuer } = factorService(driver);
    const kinds: readonly (readonly [string, () => MainFactor])[] = [
      ["keypair", () => newKeypair()],
      ["passkey", () => newPasskey()],
      ["passkey that counts", () => newPasskey({ counter: 5 })],
      ["Google account", () => newAccount("GOOGLE", issuer)],
      ["Apple account", () => newAccount("APPLE", issuer)],
    ];

    for (const [name, make] of kinds)
      test(`with a ${name} brings everything back as it was, but for the sync factor that deleted it`, async () => {
        const { client, services } = service();
        const first = await created(client, make());
        const thief = first.sync;
        const { user } = await replacedContent(client, { ...first, sync: await joined(client, first.main) });
        const others = [newKeypair(), newPasskey()];
        for (const other of others) await addFactor(service(), user.main, other);
        const before = await recoveredBy(client, user.main);
        await deleteIt(client, { sync: thief });
        expect((await client.backupStatus({ backupId: before.metadata.id })).status).toBe(404);

        const { backupId, backupMetadata } = (await undeletion(client, user)).ok();
        expect(backupId).toBe(before.metadata.id);
        const syncFactors = before.metadata.syncFactors.slice(1);
        expect(backupMetadata).toEqual({ ...before.metadata, syncFactors });
        for (const main of [user.main, ...others]) {
          const { backup, metadata } = await recoveredBy(client, main);
          expect(backup).toBe(before.backup);
          expect(metadata).toEqual(backupMetadata);
        }
        const [version] = backupMetadata.versions;
        const proof = await proven(client, "retrieve", user.main);
        const earlier = (await client.retrieve({ ...proof, versionId: version?.versionId })).ok();
        expect(Buffer.from(earlier.backup, "base64")).toEqual(Buffer.from(first.backup));
        (await client.sync(await syncPayload(client, user), user.backup)).ok();
        const refused = await client.retrieveMetadata(await solved(client, "retrieve-metadata", thief));
        expect(refused.code()).toBe("backup_untraceable");
        expect(await indexedAs(services, newKeypair(thief, "SYNC").ref)).toBeNull();
        expect((await joined(client, user.main)).publicKey).toBeString();
      });

    test("brings back what the removal of the last main factor deleted", async () => {
      const { client } = service();
      const user = await created(client, newPasskey());
      const { metadata } = await recoveredBy(client, user.main);
      const removal = await removeFactor(client, user.sync, metadata.factors[0]?.id ?? "");
      expect(removal.ok().backupDeleted).toBe(true);
      expect((await undeletion(client, user)).ok().backupMetadata).toEqual({ ...metadata, syncFactors: [] });
    });

    test("brings back the latest of several that lists the factor", async () => {
      const { client, clock } = service();
      const main = newKeypair();
      const one = await created(client, main);
      await deleteIt(client, one);
      clock.advance(1_000);
      const two = { ...newFactorUser(main), account: one.account };
      (await createAgain(client, two)).ok();
      await deleteIt(client, two);
      clock.advance(1_000);
      const strangers = { ...newFactorUser(newKeypair()), account: one.account };
      (await createAgain(client, strangers)).ok();
      await deleteIt(client, strangers);
      expect((await undeletion(client, one)).ok().backupMetadata.manifestHash).toBe(two.manifestHash);
    });

    test("brings back the state that the passkey's key fits, also where somebody else has used its id since", async () => {
      const { client, clock } = service();
      const user = await created(client, newPasskey());
      await deleteIt(client, user);
      const { credentialId } = user.main.authenticator;
      const forger = { ...newFactorUser(newPasskey({ credentialId })), account: user.account };
      clock.advance(1_000);
      (await createAgain(client, forger)).ok();
      await deleteIt(client, forger);
      const stranger = newPasskey({ credentialId });
      expect((await undeletion(client, { ...user, main: stranger })).code()).toBe("webauthn_error");
      const { backupAccountId: backupId } = user.account;
      const proof = await proven(client, "undelete", user.main, { backupId });
      const { backupMetadata } = (await client.undelete({ ...proof, backupId })).ok();
      expect(backupMetadata.manifestHash).toBe(user.manifestHash);
      expect((await client.undelete({ ...proof, backupId })).code()).toBe("already_used");
      await recoveredBy(client, user.main);
      const refused = await undeletion(client, forger);
      expect([refused.status, refused.code()]).toEqual([409, "backup_account_id_already_exists"]);
    });

    test("is possible until the time is over, and not then", async () => {
      const { client, clock } = service();
      const [one, two] = [await created(client, newKeypair()), await created(client, newKeypair())];
      await deleteIt(client, one);
      await deleteIt(client, two);
      clock.advance(7 * DAY_MS - 1_000);
      (await undeletion(client, one)).ok();
      clock.advance(1_000);
      const refused = await undeletion(client, two);
      expect([refused.status, refused.code()]).toEqual([400, "backup_does_not_exist"]);
    });

    test("consumes its proof, and a second one finds the id in use", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      await deleteIt(client, user);
      const { backupAccountId: backupId } = user.account;
      const proof = await proven(client, "undelete", user.main, { backupId });
      (await client.undelete({ ...proof, backupId })).ok();
      expect((await client.undelete({ ...proof, backupId })).code()).toBe("already_used");
    });

    describe("refuses, and changes nothing,", () => {
      const expectRefused = async (
        user: Pick<FactorUser, "account" | "main">,
        status: number,
        code: string,
      ): Promise<void> => {
        const { client, services } = service();
        const before = await blobKeys(services);
        const answer = await undeletion(client, user);
        expect([answer.status, answer.code()]).toEqual([status, code]);
        expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
      };

      for (const [name, make] of kinds) {
        test(`a ${name} that the backup never had`, async () => {
          const { client } = service();
          const user = await created(client, newKeypair());
          await deleteIt(client, user);
          await expectRefused({ ...user, main: make() }, 400, "backup_does_not_exist");
          (await undeletion(client, user)).ok();
        });

        test(`a ${name} where nothing is kept of the id`, async () => {
          const { client } = service();
          const user = await created(client, make());
          const account = createAccountKeypair();
          await expectRefused({ ...user, account }, 400, "backup_does_not_exist");
        });
      }

      test("a sync factor", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        await deleteIt(client, user);
        await expectRefused({ ...user, main: newKeypair(user.sync) }, 400, "backup_does_not_exist");
      });

      test("an id that is in use again", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        await deleteIt(client, user);
        const again = { ...newFactorUser(newKeypair()), account: user.account };
        (await createAgain(client, again)).ok();
        await expectRefused(user, 409, "backup_account_id_already_exists");
        expect((await recoveredBy(client, again.main)).metadata.manifestHash).toBe(again.manifestHash);
      });

      test("a backup of which a factor is in use again", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const { main, account } = user;
        const phone = await joined(client, main);
        await deleteIt(client, { sync: phone });
        const other = { ...newFactorUser(newKeypair()), sync: user.sync };
        (await createAgain(client, other)).ok();
        await expectRefused({ main, account }, 400, "factor_already_exists");
        await deleteIt(client, other);
        (await undeletion(client, user)).ok();
      });

      test("what a reset has removed", async () => {
        const { client, services } = service();
        const before = await blobKeys(services);
        const user = await created(client, newKeypair());
        await deleteIt(client, user);
        const again = { ...newFactorUser(newKeypair()), account: user.account };
        (await createAgain(client, again)).ok();
        (await client.reset(await resetRequest(client, user))).ok();
        await expectRefused(user, 400, "backup_does_not_exist");
        await expectRefused(again, 400, "backup_does_not_exist");
        expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
      });

      test("malformed ids", async () => {
        const { main } = await created(service().client, newKeypair());
        for (const backupAccountId of ["", "x", "../..", "backup_account_", "y".repeat(4_096)])
          await expectRefused(
            { main, account: { ...createAccountKeypair(), backupAccountId } },
            400,
            "backup_does_not_exist",
          );
      });
    });

    jsonRequestContract(
      service,
      "/v1/undelete",
      async (client) => {
        const user = await created(client, newKeypair());
        await deleteIt(client, user);
        const { backupAccountId: backupId } = user.account;
        return { ...(await proven(client, "undelete", user.main, { backupId })), backupId };
      },
      MUTATIONS,
    );

    test("is refused where the deleted backup is reset at the same time", async () => {
      const interruptions = new Interruptions();
      await using racing = await startService(driver, interruptions);
      const { client } = racing;
      const user = await created(client, newKeypair());
      await deleteIt(client, user);
      const request = await undeletionRequest(client, user);
      const reset = await resetRequest(client, user);
      interruptions.before("records.commit", async () => {
        (await client.reset(reset)).ok();
      });
      const answer = await client.undelete(request);
      expect([answer.status, answer.code()]).toEqual([400, "backup_does_not_exist"]);
    });

    for (const call of ["records.readDeleted", "records.read"] as const)
      test(`brings back the state of a deletion that comes right before its ${call}`, async () => {
        const interruptions = new Interruptions();
        await using racing = await startService(driver, interruptions);
        const { client, clock } = racing;
        const first = await created(client, newKeypair());
        await deleteIt(client, first);
        clock.advance(1_000);
        const latest = { ...newFactorUser(first.main), account: first.account };
        (await createAgain(client, latest)).ok();
        const request = await undeletionRequest(client, latest);
        const deletion = await solved(client, "delete-backup", latest.sync);
        interruptions.before(call, async () => void (await client.deleteBackup(deletion)).ok());
        const { backupMetadata } = (await client.undelete(request)).ok();
        expect(backupMetadata.manifestHash).toBe(latest.manifestHash);
      });

    for (const [name, rivals] of [
      ["undelete", []],
      ["undelete and create", ["create"]],
    ] as const)
      test(`of ${RIVALS[driver.name]} that ${name} one id one succeeds, and the others change nothing`, async () => {
        const { client, services } = service();
        const user = await created(client, newKeypair());
        const { backupAccountId: backupId } = user.account;
        await deleteIt(client, user);
        const before = await blobKeys(services);
        const sends = await Promise.all(
          Array.from({ length: RIVALS[driver.name] }, async (_, index) => {
            if (rivals.length > 0 && index % 2 === 0) {
              const rival = { ...newFactorUser(newKeypair()), account: user.account };
              return () => createAgain(client, rival);
            }
            const proof = await proven(client, "undelete", user.main, { backupId });
            return () => client.undelete({ ...proof, backupId });
          }),
        );
        const answers = await Promise.all(sends.map(untilAvailable));
        const winners = answers.filter(({ status }) => status === 200);
        expect(winners).toHaveLength(1);
        for (const { status, body } of answers.filter((answer) => answer.status !== 200))
          expect([status, body]).toMatchObject(
            status === 409
              ? [409, { error: { code: "backup_account_id_already_exists" } }]
              : [400, { error: { code: "backup_does_not_exist" } }],
          );
        const isBack = (await metadataOfMain(client, user.main)) !== null;
        expect((await blobKeys(services)).length).toBe(before.length + (isBack ? 0 : 1));
      });
  });

/** Creates a backup of an id that had one before. */
async function createAgain(client: ApiClient, user: FactorUser) {
  return client.create(await createPayloadOf(client, user), user.backup);
}

async function metadataOfMain(client: ApiClient, main: MainFactor) {
  const answer = await client.retrieve(await proven(client, "retrieve", main));
  return answer.status === 200 ? answer.ok().metadata : null;
}

for (const driver of DRIVERS)
  describe(`where deletions are final (${driver.name})`, () => {
    const { service } = factorService(driver, { env: { DELETED_KEEP_DAYS: "0" } });

    test("nothing is kept, and the ciphertexts are deleted", async () => {
      const { client, services } = service();
      const { user } = await replacedContent(client, await created(client, newKeypair()));
      await deleteIt(client, user);
      expect(await blobKeys(services)).toEqual([]);
      expect((await undeletion(client, user)).code()).toBe("backup_does_not_exist");
    });
  });
