import { describe, expect, test } from "bun:test";
import { encodeHex, sha256 } from "../../src/crypto/encoding.ts";
import type { Services } from "../../src/services.ts";
import { DRIVERS } from "../drivers.ts";
import { addFactor, additionChallenge, existingHalf, newHalf } from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import {
  type ChallengeValue,
  created,
  factorService,
  ICLOUD,
  type MainOperation,
  newKeypair,
  newPasskey,
  type Passkey,
  proven,
  recoveredBy,
} from "../support/factors.ts";
import type { Tweaks } from "../support/software-authenticator.ts";
import { interleaving } from "../support/store-wrappers.ts";
import { rewriteMetadata, storedRecord } from "../support/stored.ts";
import { addSyncFactorRequest, solved } from "../support/users.ts";
import { MAIN_OPERATIONS as OPERATIONS, sendPasskeyProof, sendProven } from "./main-proofs.ts";

/** How many counters of synchronised passkeys went back so far. */
async function countersBack({ metrics }: Services): Promise<number> {
  return Number(/^signature_counters_back_total (\d+)$/m.exec(await metrics.text())?.[1]);
}

for (const driver of DRIVERS)
  describe(`the signature counter of a passkey (${driver.name})`, () => {
    const { service } = factorService(driver, {
      env: { LOG_LEVEL: "trace" },
      wrapStores: interleaving,
    });

    const counterOf = async (backupId: string): Promise<number> => {
      const { factors } = (await storedRecord(service().services, backupId)).metadata;
      const [first] = factors as readonly { kind: { credential: { counter: number } } }[];
      return first?.kind.credential.counter ?? -1;
    };
    const call = (operation: MainOperation, body: RequestBody) =>
      sendProven(service().client, operation, body);
    const sendProof = (operation: MainOperation, passkey: Passkey, tweaks: Tweaks = {}) =>
      sendPasskeyProof(service().client, operation, passkey, tweaks);

    for (const operation of OPERATIONS)
      test(`is kept by ${operation}, must grow, and a replay is reported as such`, async () => {
        const { client } = service();
        const { main, account } = await created(client, newPasskey({ counter: 7, deviceBound: true }));
        const { backupAccountId } = account;
        expect(await counterOf(backupAccountId)).toBe(7);
        const prove = (challenge: ChallengeValue) => main.proveWith(challenge, { counter: 100 });
        const proof = await proven(client, operation, { challengeType: "passkey", prove });
        (await call(operation, proof)).ok();
        expect(await counterOf(backupAccountId)).toBe(100);
        expect((await call(operation, proof)).code()).toBe("already_used");
        for (const counter of [100, 99, 1, 0]) {
          const answer = await sendProof(operation, main, { counter });
          expect([answer.status, answer.code()]).toEqual([400, "webauthn_error"]);
        }
        expect(await counterOf(backupAccountId)).toBe(100);
        (await sendProof(operation, main, { counter: 101 })).ok();
        expect(await counterOf(backupAccountId)).toBe(101);
      });

    for (const operation of OPERATIONS)
      test(`of a synchronised passkey may go back for ${operation}, which is kept and reported`, async () => {
        const { client, services, logged } = service();
        const { main, account } = await created(client, newPasskey({ counter: 100 }));
        const { backupAccountId } = account;
        const hash = encodeHex(sha256(backupAccountId)).slice(0, 16);
        const reports = async () => {
          const lines = logged.map((line) => JSON.parse(line)).filter(({ backup }) => backup === hash);
          expect(lines.map(({ level }) => level)).toEqual(lines.map(() => "warn"));
          return lines.length;
        };
        const countedBefore = await countersBack(services);
        let back = 0;
        for (const [counter, isBack] of [
          [100, true],
          [7, true],
          [8, false],
          [0, true],
          [0, false],
          [5, false],
          [5, true],
        ] as const) {
          const prove = (challenge: ChallengeValue) => main.proveWith(challenge, { counter });
          const proof = await proven(client, operation, { challengeType: "passkey", prove });
          (await call(operation, proof)).ok();
          back += isBack ? 1 : 0;
          expect(await counterOf(backupAccountId)).toBe(counter);
          expect([await reports(), (await countersBack(services)) - countedBefore]).toEqual([back, back]);
          expect((await call(operation, proof)).code()).toBe("already_used");
        }
        expect([await reports(), (await countersBack(services)) - countedBefore]).toEqual([back, back]);
        expect(logged.join("")).not.toContain(backupAccountId);
      });

    test("that went back in the proof of an undelete is kept, logged and reported", async () => {
      const { client, services, clock } = service();
      const { main, account, sync } = await created(client, newPasskey({ counter: 9 }));
      const { backupAccountId: backupId } = account;
      const phone = newKeypair().keypair;
      const { syncFactorToken } = await recoveredBy(client, main);
      (await client.addSyncFactor(await addSyncFactorRequest(client, phone, syncFactorToken))).ok();
      (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
      clock.advance(1);
      const countedBefore = await countersBack(services);
      const prove = (challenge: ChallengeValue) => main.proveWith(challenge, { counter: 1 });
      const proof = await proven(client, "undelete", { challengeType: "passkey", prove }, { backupId });
      (await client.undelete({ ...proof, backupId })).ok();
      expect(await counterOf(backupId)).toBe(1);
      expect((await countersBack(services)) - countedBefore).toBe(1);
      const { events } = (await client.listEvents(await solved(client, "events", phone))).ok();
      expect(events.slice(0, 2).map(({ kind }) => kind)).toEqual([
        "UNDELETED",
        "SIGNATURE_COUNTER_WENT_BACK",
      ]);
    });

    test("may be above 31 bits", async () => {
      const { client } = service();
      const { main, account } = await created(client, newPasskey({ counter: 1 }));
      (await sendProof("verify-factor", main, { counter: 0xffff_ffff })).ok();
      expect(await counterOf(account.backupAccountId)).toBe(0xffff_ffff);
    });

    test("of zero counts nothing, until it does", async () => {
      const { client } = service();
      const { main, account } = await created(client, newPasskey({ deviceBound: true }));
      (await sendProof("retrieve", main)).ok();
      (await sendProof("retrieve", main)).ok();
      expect(await counterOf(account.backupAccountId)).toBe(0);
      (await sendProof("retrieve", main, { counter: 2 })).ok();
      expect(await counterOf(account.backupAccountId)).toBe(2);
      expect((await sendProof("verify-factor", main)).code()).toBe("webauthn_error");
    });

    test("is kept together with the token for a sync factor, which works", async () => {
      const { client } = service();
      const { main, account } = await created(client, newPasskey({ counter: 1 }));
      const { syncFactorToken } = await recoveredBy(client, main);
      expect(await counterOf(account.backupAccountId)).toBe(2);
      const { authorization, challengeToken } = await solved(client, "add-sync-factor", newKeypair().keypair);
      const added = await client.addSyncFactor({
        syncFactor: authorization,
        challengeToken,
        syncFactorToken,
      });
      expect(added.ok().backupId).toBe(account.backupAccountId);
    });

    test("leaves content, other factors and unknown members as they are", async () => {
      const { client, services } = service();
      const { main, account } = await created(client, newPasskey({ counter: 1 }));
      const backupId = account.backupAccountId;
      const before = await storedRecord(services, backupId);
      const later = { a: [1, null] };
      const metadata = await rewriteMetadata(services, backupId, (stored) => ({ ...stored, later }));
      (await sendProof("retrieve", main)).ok();
      const after = await storedRecord(services, backupId);
      expect(after.blob).toEqual(before.blob);
      expect(JSON.stringify(after.metadata)).toBe(
        JSON.stringify(metadata).replace('"counter":1', '"counter":2'),
      );
    });

    for (const operation of OPERATIONS)
      test(`of one proof that ${operation} gets many times at once counts once`, async () => {
        const { client } = service();
        const { main, account } = await created(client, newPasskey({ counter: 1 }));
        const proof = await proven(client, operation, main);
        const answers = await Promise.all(Array.from({ length: 10 }, () => call(operation, proof)));
        const codes = answers.filter(({ status }) => status !== 200).map((answer) => answer.code());
        expect(codes).toEqual(Array.from({ length: 9 }, () => "already_used"));
        expect(await counterOf(account.backupAccountId)).toBe(2);
      });

    test("ends at the highest of those that were accepted, whatever comes at once", async () => {
      const { client } = service();
      const { main, account } = await created(client, newPasskey({ counter: 1, deviceBound: true }));
      const proofs: { counter: number; operation: MainOperation; body: RequestBody }[] = [];
      for (let counter = 2; counter <= 11; counter++) {
        const operation = OPERATIONS[counter % 2] ?? "retrieve";
        proofs.push({ counter, operation, body: await proven(client, operation, main) });
      }
      const answers = await Promise.all(proofs.map(({ operation, body }) => call(operation, body)));
      const accepted = proofs.flatMap(({ counter }, index) =>
        answers[index]?.status === 200 ? [counter] : [],
      );
      expect(accepted.length).toBeGreaterThan(0);
      const codes = new Set(answers.filter(({ status }) => status !== 200).map((answer) => answer.code()));
      for (const code of codes) expect(["webauthn_error", "conflicting_lock"]).toContain(code);
      expect(await counterOf(account.backupAccountId)).toBe(Math.max(...accepted));
    });

    test("is stored when a passkey agrees to a new factor", async () => {
      const { client } = service();
      const { main, account } = await created(client, newPasskey({ counter: 4, deviceBound: true }));
      await addFactor(service(), main, newKeypair(), ICLOUD);
      expect(await counterOf(account.backupAccountId)).toBe(5);
      const { ceremony, challenges } = await additionChallenge(client, {
        existing: main,
        existingKind: "PASSKEY_ASSERTION",
        added: newKeypair(),
        nowMs: 0,
      });
      const given = {
        existing: main,
        existingKind: "PASSKEY_ASSERTION",
        added: newKeypair(),
        nowMs: 0,
      } as const;
      const low = {
        ...existingHalf(given, challenges),
        existingFactorAuthorization: main.proveWith(challenges.existingFactorChallenge, { counter: 5 }),
        ...newHalf(given, ceremony, challenges),
      };
      expect((await client.addFactor(low)).code()).toBe("webauthn_error");
      expect(await counterOf(account.backupAccountId)).toBe(5);
    });
  });
