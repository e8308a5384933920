import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import {
  additionChallenge,
  additionFixture,
  additionRequest,
  EXISTING_KINDS,
  existingHalf,
  NEW_KINDS,
  type NewKind,
  newHalf,
} from "../support/additions.ts";
import { created, newAccount, newKeypair, newPasskey } from "../support/factors.ts";

for (const driver of DRIVERS)
  describe(`add-factor (${driver.name})`, () => {
    const { service, issuer, factorOf, addition, send, expectNothingAdded } = additionFixture(driver);

    describe("neither half can be swapped", () => {
      const MISMATCHES: Readonly<Record<NewKind, string>> = {
        OIDC_ACCOUNT: "oidc_token_mismatch",
        PASSKEY: "passkey_registration_mismatch",
        EC_KEYPAIR: "invalid_challenge_context",
      };

      for (const existingKind of EXISTING_KINDS)
        for (const newKind of NEW_KINDS)
          test(`when ${existingKind} agreed to ${newKind}`, async () => {
            const { client } = service();
            const [mine, theirs] = [
              await created(client, factorOf(existingKind)),
              await created(client, factorOf(existingKind)),
            ];
            const given = [
              addition(mine.main, factorOf(newKind), existingKind),
              addition(theirs.main, factorOf(newKind), existingKind),
            ] as const;
            const [first, second] = [
              await additionChallenge(client, given[0]),
              await additionChallenge(client, given[1]),
            ];
            const code = MISMATCHES[newKind];
            const swapped = [
              {
                ...existingHalf(given[0], first.challenges),
                ...newHalf(given[1], second.ceremony, second.challenges),
              },
              {
                ...existingHalf(given[1], second.challenges),
                ...newHalf(given[0], first.ceremony, first.challenges),
              },
            ];
            for (const request of swapped) {
              const answer = await client.addFactor(request);
              expect([answer.status, answer.code()]).toEqual([400, code]);
            }
            // The new factor itself with the other's token, and the other's factor with the token that was issued.
            const { newFactorToken } = second.challenges;
            const other = newHalf(given[0], first.ceremony, { ...first.challenges, newFactorToken });
            const foreignToken = await client.addFactor({
              ...existingHalf(given[0], first.challenges),
              ...other,
            });
            expect(foreignToken.code()).toBe(
              newKind === "PASSKEY" ? "passkey_registration_mismatch" : "invalid_challenge_context",
            );
            await expectNothingAdded(mine, given[0].added);
            await expectNothingAdded(theirs, given[1].added);
          });

      test("for a half of the same factor from another ceremony", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        for (const added of [newKeypair(), newAccount("APPLE", issuer)]) {
          const given = { ...addition(user.main, added), ceremony: added.register() };
          const [first, second] = [
            await additionChallenge(client, given),
            await additionChallenge(client, given),
          ];
          const request = {
            ...existingHalf(given, first.challenges),
            ...newHalf(given, second.ceremony, second.challenges),
          };
          expect((await client.addFactor(request)).code()).toBe("invalid_challenge_context");
        }
      });

      test("for another factor that solves the very challenge of the new one", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        for (const [announced, other, code] of [
          [newKeypair(), newKeypair(), "invalid_challenge_context"],
          [newAccount("GOOGLE", issuer), newAccount("GOOGLE", issuer), "oidc_token_mismatch"],
          [newAccount("APPLE", issuer), newAccount("GOOGLE", issuer), "oidc_token_mismatch"],
        ] as const) {
          const given = addition(user.main, announced);
          const { challenges } = await additionChallenge(client, given);
          const half = newHalf({ ...given, added: other }, other.register(), challenges);
          expect((await client.addFactor({ ...existingHalf(given, challenges), ...half })).code()).toBe(code);
          await expectNothingAdded(user, other);
        }
      });

      test("for each other", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const request = await additionRequest(client, addition(user.main, newKeypair()));
        const answer = await client.addFactor({
          ...request,
          existingFactorChallengeToken: request.newFactorChallengeToken,
          newFactorChallengeToken: request.existingFactorChallengeToken,
        });
        expect(answer.code()).toBe("invalid_challenge_context");
      });

      test("for a factor of another kind than was agreed to", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        for (const agreed of NEW_KINDS)
          for (const offered of NEW_KINDS.filter((kind) => kind !== agreed)) {
            const given = addition(user.main, factorOf(agreed));
            const { challenges } = await additionChallenge(client, given);
            const other = { ...given, added: factorOf(offered) };
            const request = {
              ...existingHalf(given, challenges),
              ...newHalf(other, other.added.register(), challenges),
            };
            expect((await client.addFactor(request)).code()).toBe(
              offered === "OIDC_ACCOUNT"
                ? "invalid_new_factor_type"
                : "invalid_new_factor_authorization_type",
            );
          }
      });

      test("for an existing factor of another kind than the challenge was for", async () => {
        const { client } = service();
        const factors = { OIDC_ACCOUNT: newAccount("GOOGLE", issuer), EC_KEYPAIR: newKeypair() };
        for (const [kind, other] of [
          ["OIDC_ACCOUNT", "EC_KEYPAIR"],
          ["EC_KEYPAIR", "OIDC_ACCOUNT"],
        ] as const) {
          const user = await created(client, factors[kind]);
          expect((await send(addition(user.main, newKeypair(), other))).code()).toBe(
            "invalid_challenge_context",
          );
        }
        const user = await created(client, newPasskey());
        const asserted = addition(user.main, newKeypair(), "PASSKEY_ASSERTION");
        const { ceremony, challenges } = await additionChallenge(client, asserted);
        const { existingFactorChallenge } = challenges;
        if (typeof existingFactorChallenge === "string") throw new Error("no options");
        const bytes = Buffer.from(existingFactorChallenge.publicKey.challenge, "base64url").toString(
          "base64",
        );
        const stamp = existingHalf(
          { ...asserted, existingKind: "PASSKEY" },
          { ...challenges, existingFactorChallenge: bytes },
        );
        const answer = await client.addFactor({ ...stamp, ...newHalf(asserted, ceremony, challenges) });
        expect(answer.code()).toBe("invalid_challenge_context");
      });

      test("by an assertion where a stamp was asked for", async () => {
        const { client } = service();
        const user = await created(client, newPasskey());
        const given = addition(user.main, newKeypair(), "PASSKEY");
        const { ceremony, challenges } = await additionChallenge(client, given);
        const asserted = existingHalf({ ...given, existingKind: "PASSKEY_ASSERTION" }, challenges);
        const answer = await client.addFactor({ ...asserted, ...newHalf(given, ceremony, challenges) });
        expect(answer.code()).toBe("missing_turnkey_activity");
      });
    });
  });
