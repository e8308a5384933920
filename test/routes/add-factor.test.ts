import { describe, expect, spyOn, test } from "bun:test";
import { encodeBase64 } from "../../src/crypto/encoding.ts";
import { addFactor, addFactorChallenge } from "../../src/protocol/examples/add-factor.ts";
import { DRIVERS } from "../drivers.ts";
import {
  additionChallenge,
  additionFixture,
  additionRequest,
  EXISTING_KINDS,
  existingHalf,
  NEW_KINDS,
  newHalf,
} from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  type Ceremony,
  created,
  ICLOUD,
  newAccount,
  newKeypair,
  newPasskey,
  PRF,
  passkeyOf,
  proven,
  recoveredBy,
  removeFactor,
  TURNKEY,
  TURNKEY_PROVIDER_ID,
} from "../support/factors.ts";
import { indexedAs } from "../support/stored.ts";

const MINUTE_MS = 60_000;

for (const driver of DRIVERS)
  describe(`add-factor (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [addFactorChallenge, addFactor]));

    const { service, issuer, factorOf, addition, send, expectNothingAdded } = additionFixture(driver);

    describe("adds to a backup of", () => {
      for (const existingKind of EXISTING_KINDS)
        for (const newKind of NEW_KINDS)
          test(`${existingKind} a new ${newKind}, which then recovers it`, async () => {
            const { client, clock } = service();
            const user = await created(client, factorOf(existingKind));
            const added = factorOf(newKind, "APPLE");
            const key =
              added.encryptionKey.kind === user.main.encryptionKey.kind ? null : added.encryptionKey;
            clock.advance(MINUTE_MS);
            const given = addition(user.main, added, existingKind);
            const request = { ...(await additionRequest(client, given)), encryptedBackupKey: key };

            const { factorId, backupMetadata } = (await client.addFactor(request)).ok();
            expect(backupMetadata.factors).toHaveLength(2);
            expect(backupMetadata.factors[1]).toEqual({
              id: factorId,
              createdAt: Math.floor(clock.nowMs() / 1000),
              kind: expect.objectContaining({ kind: newKind }),
            });
            expect(backupMetadata.keys).toEqual([
              user.main.encryptionKey,
              ...(key === null ? [] : [key]),
            ] as never);

            expect((await client.addFactor(request)).code()).toBe("already_used");
            const { backup, metadata } = await recoveredBy(client, added);
            expect(backup).toBe(encodeBase64(user.backup));
            expect(metadata).toEqual(backupMetadata);
            expect(await indexedAs(service().services, added.ref)).toBe(user.account.backupAccountId);
            expect(
              (await client.backupStatus({ backupId: user.account.backupAccountId })).ok().factors[1]?.kind,
            ).toBe(newKind);

            const third = await send(addition(added, newKeypair()));
            expect(third.ok().backupMetadata.factors).toHaveLength(3);
          });

      test("a keypair a new RS256 passkey", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const added = newPasskey({ algorithm: "RS256" });
        (await send(addition(user.main, added))).ok();
        expect((await recoveredBy(client, added)).metadata.id).toBe(user.account.backupAccountId);
      });

      test("a keypair the key of its sync factor, which is in the other scope", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const added = newKeypair(user.sync);
        (await send(addition(user.main, added))).ok();
        expect((await recoveredBy(client, added)).metadata.factors).toHaveLength(2);
      });
    });

    describe("refuses", () => {
      test("a second key of a kind, and adds no factor", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const added = newKeypair();
        const encryptedBackupKey = { ...ICLOUD, encryptedKey: "another" };
        const answer = await send(addition(user.main, added), { encryptedBackupKey });
        expect([answer.status, answer.code()]).toEqual([400, "only_one_encryption_key_per_type_allowed"]);
        await expectNothingAdded(user, added);
      });

      test("a factor over the limit with 409, and leaves no trace of it in the index", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const second = (await send(addition(user.main, newKeypair()))).ok();
        (await send(addition(user.main, newKeypair()))).ok();
        for (const kind of NEW_KINDS) {
          const added = factorOf(kind);
          const request = await additionRequest(client, addition(user.main, added));
          const refused = await client.addFactor(request);
          expect([refused.status, refused.code()]).toEqual([409, "too_many_factors"]);
          expect(await indexedAs(service().services, added.ref)).toBeNull();
          if (kind !== "EC_KEYPAIR") continue;
          (await removeFactor(client, user.sync, second.factorId)).ok();
          (await client.addFactor(request)).ok();
        }
      });

      for (const kind of NEW_KINDS)
        test(`a ${kind} that is on another backup`, async () => {
          const { client } = service();
          const user = await created(client, newKeypair());
          const added = factorOf(kind);
          await created(client, added);
          const elsewhere = await send(addition(user.main, added));
          expect([elsewhere.status, elsewhere.code()]).toEqual([400, "factor_already_exists"]);
          expect((await recoveredBy(client, user.main)).metadata.factors).toHaveLength(1);
        });

      test("an account without turnkeyProviderId", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const added = newAccount("GOOGLE", issuer);
        const request = await additionRequest(client, addition(user.main, added));
        for (const turnkeyProviderId of [null, undefined])
          expect((await client.addFactor({ ...request, turnkeyProviderId })).code()).toBe(
            "missing_turnkey_provider_id",
          );
        (await client.addFactor({ ...request, turnkeyProviderId: TURNKEY_PROVIDER_ID })).ok();
      });

      test("an account without e-mail address, and one whose id_token is not in order", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const account = newAccount("GOOGLE", issuer);
        const sendAccount = async (claims: RequestBody) => {
          const keypair = createFactorKeypair();
          const token = issuer.token("GOOGLE", keypair.publicKey, {
            claims: { sub: account.sub, ...claims },
          });
          const ceremony: Ceremony = {
            newFactor: { kind: "OIDC_ACCOUNT", oidcToken: token },
            answer: (challenge) => account.authorize(challenge, { keypair, token }),
          };
          const given = { ...addition(user.main, account), ceremony };
          return (await client.addFactor(await additionRequest(client, given))).code();
        };
        expect(await sendAccount({ email: undefined })).toBe("missing_email");
        expect(await sendAccount({ aud: "another" })).toBe("oidc_token_verification_error");
        expect(await sendAccount({ nonce: "0".repeat(64) })).toBe("oidc_token_invalid_nonce");
      });

      test("a new half that does not verify, of each kind", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        for (const [kind, code] of [
          ["PASSKEY", "webauthn_error"],
          ["OIDC_ACCOUNT", "signature_verification_error"],
          ["EC_KEYPAIR", "signature_verification_error"],
        ] as const) {
          const given = addition(user.main, factorOf(kind));
          const { ceremony, challenges } = await additionChallenge(client, given);
          const forged: Ceremony = {
            ...ceremony,
            answer: (challenge) =>
              kind === "PASSKEY"
                ? passkeyOf(given.added).registerWith(challenge, { attestation: "self", wrongKey: true })
                : { ...ceremony.answer(challenge), signature: createFactorKeypair().sign("AAAA") },
          };
          const request = { ...existingHalf(given, challenges), ...newHalf(given, forged, challenges) };
          expect((await client.addFactor(request)).code()).toBe(code);
          (await client.addFactor({ ...request, ...newHalf(given, ceremony, challenges) })).ok();
          const { metadata } = await recoveredBy(client, given.added);
          const id = metadata.factors.at(-1)?.id ?? "";
          (await removeFactor(client, user.sync, id)).ok();
        }
      });

      test("an assertion by another key, or without user verification", async () => {
        const { client } = service();
        const user = await created(client, newPasskey());
        const given = addition(user.main, newKeypair());
        const { ceremony, challenges } = await additionChallenge(client, given);
        const half = newHalf(given, ceremony, challenges);
        for (const tweaks of [
          { wrongKey: true },
          { flags: { uv: false } },
          { origin: "https://evil.example" },
        ]) {
          const authorization = user.main.proveWith(challenges.existingFactorChallenge, tweaks);
          const request = {
            ...existingHalf(given, challenges),
            existingFactorAuthorization: authorization,
            ...half,
          };
          expect((await client.addFactor(request)).code()).toBe("webauthn_error");
        }
        await expectNothingAdded(user, given.added);
      });
    });

    describe("both tokens are consumed", () => {
      test("with the change, so that neither half works again after the factor was removed", async () => {
        const { client } = service();
        for (const kind of NEW_KINDS) {
          const user = await created(client, newKeypair());
          const added = factorOf(kind);
          const request = await additionRequest(client, addition(user.main, added));
          const { factorId } = (await client.addFactor(request)).ok();
          (await removeFactor(client, user.sync, factorId)).ok();
          expect((await client.addFactor(request)).code()).toBe("already_used");
          expect(await indexedAs(service().services, added.ref)).toBeNull();
        }
      });

      test("in the records, with the nonce of a new account", async () => {
        const { client, services } = service();
        for (const existingKind of EXISTING_KINDS)
          for (const newKind of NEW_KINDS) {
            const user = await created(client, factorOf(existingKind));
            const added = factorOf(newKind);
            const given = addition(user.main, added, existingKind);
            const { ceremony, challenges } = await additionChallenge(client, given);
            const request = { ...existingHalf(given, challenges), ...newHalf(given, ceremony, challenges) };
            (await client.addFactor(request)).ok();
            for (const [token, kind] of [
              [challenges.existingFactorToken, user.main.challengeType],
              [challenges.newFactorToken, added.challengeType],
            ] as const) {
              const { nonce } = await services.challengeTokens.read(token, kind);
              expect(await services.records.isConsumed([nonce])).toBe(true);
            }
            if (newKind !== "OIDC_ACCOUNT") continue;
            const again = await proven(client, "retrieve", {
              challengeType: "keypair",
              prove: ceremony.answer,
            });
            expect((await client.retrieve(again)).code()).toBe("already_used");
          }
      });

      test("and a request with one of them is refused as used", async () => {
        const { client, services } = service();
        for (const half of ["existingFactorToken", "newFactorToken"] as const) {
          const user = await created(client, newKeypair());
          const given = addition(user.main, newKeypair());
          const { ceremony, challenges } = await additionChallenge(client, given);
          const { nonce } = await services.challengeTokens.read(challenges[half], "keypair");
          expect(await services.records.consume([nonce])).not.toBeNull();
          const request = { ...existingHalf(given, challenges), ...newHalf(given, ceremony, challenges) };
          expect((await client.addFactor(request)).code()).toBe("already_used");
        }
      });

      test("and a used proof of the existing factor is reported before what is wrong with the new one", async () => {
        const { client } = service();
        for (const existingKind of EXISTING_KINDS) {
          const user = await created(client, factorOf(existingKind));
          const request = await additionRequest(client, addition(user.main, newKeypair(), existingKind));
          (await client.addFactor(request)).ok();
          for (const wrong of [
            { newFactorChallengeToken: "x" },
            { newFactorAuthorization: { kind: "PASSKEY", credential: {} } },
            { newFactorAuthorization: { ...request.newFactorAuthorization, signature: "AAAA" } },
          ])
            expect((await client.addFactor({ ...request, ...wrong })).code()).toBe("already_used");
        }
      });

      test("and each of them is decrypted once", async () => {
        const { client } = service();
        for (const existingKind of EXISTING_KINDS) {
          const user = await created(client, factorOf(existingKind));
          const request = await additionRequest(client, addition(user.main, newKeypair(), existingKind));
          const decrypt = spyOn(crypto.subtle, "decrypt");
          try {
            (await client.addFactor(request)).ok();
            expect(decrypt).toHaveBeenCalledTimes(2);
          } finally {
            decrypt.mockRestore();
          }
        }
      });

      test("by one of many requests at once", async () => {
        const { client } = service();
        for (const existingKind of EXISTING_KINDS) {
          const user = await created(
            client,
            existingKind.startsWith("PASSKEY") ? newPasskey({ counter: 1 }) : factorOf(existingKind),
          );
          const request = await additionRequest(client, addition(user.main, newKeypair(), existingKind));
          const answers = await Promise.all(Array.from({ length: 8 }, () => client.addFactor(request)));
          const outcomes = answers.map(({ status, body }) =>
            status === 200 ? "added" : (body as { error: { code: string } }).error.code,
          );
          expect(outcomes.toSorted()).toEqual(["added", ...Array.from({ length: 7 }, () => "already_used")]);
          expect((await recoveredBy(client, user.main)).metadata.factors).toHaveLength(2);
        }
      });

      test("but not by a request that fails: it may be corrected", async () => {
        const { client } = service();
        const user = await created(client, newAccount("GOOGLE", issuer));
        const request = await additionRequest(client, addition(user.main, newAccount("APPLE", issuer)));
        const encryptedBackupKey = { ...TURNKEY, encryptedKey: "another" };
        expect((await client.addFactor({ ...request, encryptedBackupKey })).code()).toBe(
          "only_one_encryption_key_per_type_allowed",
        );
        (await client.addFactor(request)).ok();
      });
    });

    test("one factor that is added to many backups at once goes to one of them", async () => {
      const { client } = service();
      const added = newPasskey();
      const users = await Promise.all(Array.from({ length: 6 }, () => created(client, newKeypair())));
      const requests = await Promise.all(
        users.map(({ main }) => additionRequest(client, addition(main, added))),
      );
      const answers = await Promise.all(requests.map((request) => client.addFactor(request)));
      const losers = answers.filter(({ status }) => status !== 200);
      expect(losers.map((answer) => answer.code())).toEqual(
        Array.from({ length: 5 }, () => "factor_already_exists"),
      );
      const winner = users[answers.findIndex(({ status }) => status === 200)];
      expect((await recoveredBy(client, added)).metadata.id).toBe(winner?.account.backupAccountId ?? "");
    });

    test("a factor that was removed belongs to no backup, and can be added again", async () => {
      const { client } = service();
      const user = await created(client, newKeypair());
      const added = newPasskey();
      const { factorId } = (await send(addition(user.main, added))).ok();
      (await removeFactor(client, user.sync, factorId)).ok();
      expect((await client.retrieve(await proven(client, "retrieve", added))).code()).toBe(
        "backup_untraceable",
      );
      (await send(addition(user.main, added))).ok();
      await recoveredBy(client, added);
    });

    describe("its encryption key goes with the last factor that needs it", () => {
      for (const [kind, key] of [
        ["PASSKEY", PRF],
        ["OIDC_ACCOUNT", TURNKEY],
      ] as const)
        test(`${kind} and ${key.kind}`, async () => {
          const { client } = service();
          const user = await created(client, newKeypair());
          const first = (await send(addition(user.main, factorOf(kind)), { encryptedBackupKey: key })).ok();
          const second = (await send(addition(user.main, factorOf(kind)))).ok();
          const remove = (id: string, encryptionKey: RequestBody | null) =>
            removeFactor(client, user.sync, id, { encryptionKey });
          expect((await remove(first.factorId, key)).code()).toBe("factor_orphaned_from_encryption_key");
          expect((await remove(first.factorId, ICLOUD)).code()).toBe("factor_orphaned_from_encryption_key");
          expect((await remove(first.factorId, { ...key, encryptedKey: "x" })).code()).toBe(
            "encryption_key_not_found",
          );
          (await remove(first.factorId, null)).ok();
          const left = (await remove(second.factorId, key)).ok();
          expect(left.backupMetadata).toMatchObject({ keys: [ICLOUD] });
          expect((left.backupMetadata as { factors: unknown[] }).factors).toHaveLength(1);
        });
    });
  });
