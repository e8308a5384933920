import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import type { RequestBody } from "../support/api-client.ts";
import { changed, der, signatureValue } from "../support/ecdsa-encodings.ts";
import {
  createChallenge,
  createPayloadOf,
  type FactorUser,
  factorService,
  newAccount,
  newFactorUser,
  newKeypair,
  newPasskey,
} from "../support/factors.ts";
import { blobKeys, indexedAs } from "../support/stored.ts";
import { solved } from "../support/users.ts";
import { long } from "./requests.ts";

const MINUTE_MS = 60_000;
const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

interface Situation {
  readonly user: FactorUser;
  /** A create without the proof of the account id. */
  readonly payload: RequestBody;
  readonly challenge: string;
  /** The proof, as members of the payload. */
  readonly proof: { readonly backupAccountChallengeToken: string; readonly backupAccountSignature: string };
}

for (const driver of DRIVERS)
  for (const enforced of [false, true])
    describe(`the proof of an account id, ${enforced ? "required" : "optional"} (${driver.name})`, () => {
      const { service, issuer } = factorService(driver, {
        env: { ENFORCE_BACKUP_ACCOUNT_PROOF: String(enforced) },
      });

      const situation = async (user: FactorUser = newFactorUser(newKeypair())): Promise<Situation> => {
        const { client } = service();
        const payload = await createPayloadOf(client, user);
        const issued = await createChallenge(client, user.main.challengeType);
        const { backupAccountChallenge: challenge, backupAccountChallengeToken } = issued;
        const backupAccountSignature = user.account.sign(challenge);
        return { user, payload, challenge, proof: { backupAccountChallengeToken, backupAccountSignature } };
      };
      const send = ({ user, payload }: Situation, more: RequestBody) =>
        service().client.create({ ...payload, ...more }, user.backup);

      test("comes with either challenge to create, each time another", async () => {
        const { client } = service();
        const seen = new Set<string>();
        for (const type of ["keypair", "passkey", "keypair", "passkey"] as const) {
          const { token, backupAccountChallenge, backupAccountChallengeToken } = await createChallenge(
            client,
            type,
          );
          expect(Buffer.from(backupAccountChallenge, "base64")).toHaveLength(32);
          for (const value of [token, backupAccountChallenge, backupAccountChallengeToken]) seen.add(value);
        }
        expect(seen.size).toBe(12);
      });

      test("is accepted with each kind of main factor", async () => {
        for (const main of [newKeypair(), newPasskey(), newAccount("GOOGLE", issuer)]) {
          const given = await situation(newFactorUser(main));
          const { backupId } = (await send(given, given.proof)).ok();
          expect(backupId).toBe(given.user.account.backupAccountId);
        }
      });

      test(enforced ? "must be there" : "may be left out", async () => {
        for (const none of [{}, { backupAccountChallengeToken: null, backupAccountSignature: null }]) {
          const given = await situation();
          const answer = await send(given, none);
          if (enforced) expect([answer.status, answer.code()]).toEqual([400, "missing_backup_account_proof"]);
          else answer.ok();
        }
      });

      test("is consumed with the factors, and only by a create that succeeds", async () => {
        const given = await situation();
        const { user, proof } = given;
        const wrongFactor = { ...(given.payload.authorization as RequestBody), signature: "" };
        const failed = await send(given, { ...proof, authorization: wrongFactor });
        expect(failed.code()).toBe("signature_verification_error");
        (await send(given, proof)).ok();
        expect((await send(given, proof)).code()).toBe("already_used");

        const { client } = service();
        (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
        const again = await situation(user);
        expect((await send(again, proof)).code()).toBe("already_used");
        (await send(again, again.proof)).ok();
      });

      test("is good for 15 minutes", async () => {
        const { clock } = service();
        const given = await situation();
        clock.advance(15 * MINUTE_MS);
        const { user } = given;
        const fresh = await situation(user);
        expect((await send(fresh, given.proof)).code()).toBe("jwt_error");
        (await send(fresh, fresh.proof)).ok();
      });

      describe("is refused before the factors are verified", () => {
        type Case = readonly [
          name: string,
          code: string,
          change: (given: Situation) => RequestBody | Promise<RequestBody>,
        ];
        const signature =
          (change: (value: string, given: Situation) => string): Case[2] =>
          (given) => ({
            ...given.proof,
            backupAccountSignature: change(given.proof.backupAccountSignature, given),
          });
        const issued =
          (
            type: "keypair" | "passkey",
            operation: "create" | "reset" | "backup-account",
            bound = {},
          ): Case[2] =>
          async (given) => {
            const { challengeTokens } = service().services;
            const bytes = Buffer.from(given.challenge, "base64");
            const backupAccountChallengeToken = await challengeTokens.issue(type, bytes, {
              operation,
              bindings: bound,
            });
            return { ...given.proof, backupAccountChallengeToken };
          };
        const missing = "missing_backup_account_proof";
        const unverified = "signature_verification_error";
        const cases: readonly Case[] = [
          [
            "without the token",
            missing,
            ({ proof }) => ({ backupAccountSignature: proof.backupAccountSignature }),
          ],
          ["with the token null", missing, ({ proof }) => ({ ...proof, backupAccountChallengeToken: null })],
          [
            "without the signature",
            missing,
            ({ proof }) => ({ backupAccountChallengeToken: proof.backupAccountChallengeToken }),
          ],
          ["with the signature null", missing, ({ proof }) => ({ ...proof, backupAccountSignature: null })],
          [
            "with a token that is garbage",
            "jwt_error",
            ({ proof }) => ({ ...proof, backupAccountChallengeToken: "x" }),
          ],
          [
            "with an empty token",
            "jwt_error",
            ({ proof }) => ({ ...proof, backupAccountChallengeToken: "" }),
          ],
          [
            "with the token of the main factor",
            "invalid_challenge_context",
            ({ proof, payload }) => ({ ...proof, backupAccountChallengeToken: payload.challengeToken }),
          ],
          ["with the token of a reset", "invalid_challenge_context", issued("keypair", "reset")],
          [
            "with a token that is bound to something",
            "invalid_challenge_context",
            issued("keypair", "backup-account", { backupAccountId: "x" }),
          ],
          [
            "with the token of a passkey challenge",
            "unexpected_challenge_type",
            issued("passkey", "backup-account"),
          ],
          ["with an empty signature", "invalid_signature", signature(() => "")],
          ["with a signature that is no base64", "invalid_signature", signature(() => "!")],
          [
            "with a signature that is no DER",
            "invalid_signature",
            signature((value) => changed(value, (bytes) => bytes.subarray(1))),
          ],
          [
            "by another account",
            unverified,
            signature((_, { challenge }) => createAccountKeypair().sign(challenge)),
          ],
          ["over another challenge", unverified, signature((_, { user }) => user.account.sign("AAAA"))],
          [
            "over the challenge of the main factor's key",
            unverified,
            signature((_, { user }) => user.sync.sign("AAAA")),
          ],
          [
            "with a high s",
            unverified,
            signature((value) => {
              const { r, s } = signatureValue(value);
              return der({ r, s: SECP256K1_ORDER - s });
            }),
          ],
          [
            "for an id that is no point",
            "invalid_backup_account_id",
            ({ proof }) => ({ ...proof, backupAccountId: `backup_account_02${"f".repeat(64)}` }),
          ],
        ];
        test.each(cases)("%s: %s", async (_, code, change) => {
          const { services } = service();
          const before = await blobKeys(services);
          const given = await situation();
          const wrong = await change(given);
          const authorization = { ...(given.payload.authorization as RequestBody), signature: "" };
          const answer = await send(given, { authorization, ...wrong });
          expect([answer.status, answer.code()]).toEqual([400, code]);
          expect(await indexedAs(service().services, given.user.main.ref)).toBeNull();
          expect(await blobKeys(services)).toEqual(before);
        });

        test("but after the shape of the request", async () => {
          const given = await situation();
          for (const more of [
            { backupAccountSignature: 1 },
            { backupAccountSignature: long(4097) },
            { backupAccountChallengeToken: long(32 * 1024 + 1) },
          ]) {
            const answer = await send(given, { ...given.proof, ...more });
            expect([answer.status, answer.code()]).toEqual([400, "invalid_payload"]);
          }
        });
      });

      test("is no proof for a reset, nor a reset's for a create", async () => {
        const { client } = service();
        const given = await situation();
        const { backupAccountId } = given.user.account;
        const signature = given.proof.backupAccountSignature;
        const challengeToken = given.proof.backupAccountChallengeToken;
        const reset = await client.reset({ backupAccountId, signature, challengeToken });
        expect(reset.code()).toBe("invalid_challenge_context");
        const { challenge, token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
        const asCreate = {
          backupAccountChallengeToken: token,
          backupAccountSignature: given.user.account.sign(challenge),
        };
        expect((await send(given, asCreate)).code()).toBe("invalid_challenge_context");
      });
    });
