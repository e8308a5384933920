import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { additionFixture, additionRequest, NEW_KINDS } from "../support/additions.ts";
import { created, ICLOUD, newAccount, newKeypair, PRF, recoveredBy, TURNKEY } from "../support/factors.ts";
import { indexedAs, storedRecord } from "../support/stored.ts";

for (const driver of DRIVERS) {
  describe(`add-factor again (${driver.name})`, () => {
    const { service, issuer, factorOf, addition, send } = additionFixture(driver);

    for (const kind of NEW_KINDS)
      test(`answers for a ${kind} that is on the backup as for a new one, and changes nothing`, async () => {
        const { client, clock, services } = service();
        const user = await created(client, newKeypair());
        const { backupAccountId } = user.account;
        const added = factorOf(kind);
        const encryptedBackupKey = kind === "EC_KEYPAIR" ? null : added.encryptionKey;
        const first = (await send(addition(user.main, added), { encryptedBackupKey })).ok();
        const before = await storedRecord(services, backupAccountId);

        clock.advance(60_000);
        const request = await additionRequest(client, addition(user.main, added));
        const again = await client.addFactor({ ...request, encryptedBackupKey });
        expect(again.ok()).toEqual(first);
        expect((await client.addFactor(request)).code()).toBe("already_used");
        expect((await storedRecord(services, backupAccountId)).metadata).toEqual(before.metadata);
        expect(await indexedAs(services, added.ref)).toBe(backupAccountId);
      });

    test("adds the key where its kind is missing, also at the limit", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const added = factorOf("PASSKEY");
      const { factorId } = (await send(addition(user.main, added))).ok();
      (await send(addition(user.main, newKeypair()))).ok();
      expect((await send(addition(user.main, newKeypair()))).code()).toBe("too_many_factors");

      const { metadata } = await recoveredBy(client, user.main);
      const again = (await send(addition(user.main, added), { encryptedBackupKey: PRF })).ok();
      expect<unknown>(again).toEqual({ factorId, backupMetadata: { ...metadata, keys: [ICLOUD, PRF] } });
      const other = { encryptedBackupKey: { ...PRF, encryptedKey: "another" } };
      expect((await send(addition(user.main, added), other)).code()).toBe(
        "only_one_encryption_key_per_type_allowed",
      );
    });

    test("takes with a new factor the identical key that is there, and keeps one of it", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const encryptedBackupKey = { more: 1, ...Object.fromEntries(Object.entries(TURNKEY).reverse()) };
      const { backupMetadata } = (
        await send(addition(user.main, newAccount("APPLE", issuer)), { encryptedBackupKey })
      ).ok();
      expect<unknown>(backupMetadata.keys).toEqual([TURNKEY]);
    });

    test("of a factor that adds itself is answered with its own id", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const { factorId, backupMetadata } = (await send(addition(user.main, user.main))).ok();
      expect(backupMetadata.factors.map(({ id }) => id)).toEqual([factorId]);
    });

    test("twenty times at once adds it once, and all have its id", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const added = factorOf("PASSKEY");
      const requests = [];
      for (let index = 0; index < 20; index++)
        requests.push(await additionRequest(client, addition(user.main, added)));
      const answers = await Promise.all(requests.map((request) => client.addFactor(request)));
      const ids = answers.flatMap((answer) => (answer.status === 200 ? [answer.ok().factorId] : []));
      expect(ids.length).toBeGreaterThan(0);
      const codes = answers.filter(({ status }) => status !== 200).map((answer) => answer.code());
      expect(codes.filter((code) => code !== "conflicting_lock")).toEqual([]);
      const { factors } = (await recoveredBy(client, user.main)).metadata;
      expect(factors).toHaveLength(2);
      expect(new Set(ids)).toEqual(new Set([factors[1]?.id ?? ""]));
    });
  });
}
