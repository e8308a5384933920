import { beforeAll, describe, expect, test } from "bun:test";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { reset, resetChallenge } from "../../src/protocol/examples/reset.ts";
import { DRIVERS } from "../drivers.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import {
  changed,
  derOf,
  integer,
  otherS,
  signatureValue,
  toUrlAlphabet,
  withStrayBit,
} from "../support/ecdsa-encodings.ts";
import { play } from "../support/example.ts";
import { KEYPAIR_OPERATIONS } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, indexed, storedRecord } from "../support/stored.ts";
import { newUser, recovered, resetRequest, solved, type User, userWithBackup } from "../support/users.ts";
import {
  jsonRequestContract,
  long,
  type Mutation,
  type Refusal,
  tokenMutations,
  changed as withChange,
} from "./requests.ts";

const MINUTE_MS = 60_000;
const NO_POINT = `backup_account_02${"f".repeat(64)}`;

type ResetRequest = Awaited<ReturnType<typeof resetRequest>>;

const ID_MUTATIONS: readonly Mutation[] = [
  ["without account id", { backupAccountId: undefined }, "/backupAccountId"],
  ["with account id null", { backupAccountId: null }, "/backupAccountId"],
  ["with an account id without prefix", { backupAccountId: "02".repeat(33) }, "/backupAccountId"],
  [
    "with an account id of another prefix",
    { backupAccountId: `Backup_account_${"02".repeat(33)}` },
    "/backupAccountId",
  ],
  [
    "with an account id of 65 digits",
    { backupAccountId: `backup_account_${"2".repeat(65)}` },
    "/backupAccountId",
  ],
  [
    "with an account id of 67 digits",
    { backupAccountId: `backup_account_${"2".repeat(67)}` },
    "/backupAccountId",
  ],
  [
    "with an account id that is no hex",
    { backupAccountId: `backup_account_${"g".repeat(66)}` },
    "/backupAccountId",
  ],
];

for (const driver of DRIVERS)
  describe(`reset (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [resetChallenge, reset]));

    const service = sharedService(driver);

    test("deletes everything on behalf of the account key, and the id can be created again", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const { blob } = await storedRecord(services, backupAccountId);

      const answer = await client.reset(await resetRequest(client, user));
      expect(answer.ok()).toBeNull();
      expect(await services.records.read(backupAccountId)).toBeNull();
      expect(await indexed(services, "MAIN", user.main)).toBeNull();
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      expect(await blobKeys(services)).not.toContain(blob.key);

      const again = await userWithBackup(client, { ...newUser(), account: user.account });
      expect((await recovered(client, again)).metadata.id).toBe(backupAccountId);
    });

    test("does not consume its challenge when there is no backup", async () => {
      const { client } = service();
      const user = newUser();
      const request = await resetRequest(client, user);
      const missing = await client.reset(request);
      expect([missing.status, missing.code()]).toEqual([404, "not_found"]);
      await userWithBackup(client, user);
      (await client.reset(request)).ok();
      expect((await client.reset(request)).code()).toBe("already_used");
      await userWithBackup(client, user);
      expect((await client.reset(request)).code()).toBe("already_used");
      expect((await recovered(client, user)).metadata.id).toBe(user.account.backupAccountId);
    });

    test("takes a challenge for 15 minutes and no second more, and not before its time", async () => {
      const { client, clock } = service();
      const user = await userWithBackup(client);
      const issuedMs = clock.nowMs();
      const request = await resetRequest(client, user);
      clock.advance(15 * MINUTE_MS);
      expect((await client.reset(request)).code()).toBe("jwt_error");
      clock.set(issuedMs - MINUTE_MS);
      expect((await client.reset(request)).code()).toBe("jwt_error");
      clock.set(issuedMs + 15 * MINUTE_MS - 1_000);
      (await client.reset(request)).ok();
    });

    jsonRequestContract(
      service,
      "/v1/reset",
      async (client) => resetRequest(client, await userWithBackup(client)),
      [
        ...tokenMutations("challengeToken"),
        ...ID_MUTATIONS,
        ["without signature", { signature: undefined }, "/signature"],
        ["with signature null", { signature: null }, "/signature"],
        ["with signature over 4 KiB", { signature: long(4097) }, "/signature"],
      ],
    );
    describe("its challenge", () => {
      for (const [name, change, pointer] of ID_MUTATIONS)
        test(`${name} is refused`, async () => {
          const { client } = service();
          const { backupAccountId } = newUser().account;
          const body = withChange({ backupAccountId }, change) as RequestBody;
          const answer = await client.keypairChallenge("reset", body);
          expect([answer.status, answer.code()]).toEqual([422, "invalid_payload"]);
          expect(JSON.stringify(answer.body)).toContain(`"${pointer}: `);
        });
    });

    describe("refuses", () => {
      type Case = Refusal<ResetRequest, [client: ApiClient, user: User]>;
      const signature =
        (change: (signature: string) => string): Case[1] =>
        (request) => ({
          ...request,
          signature: change(request.signature),
        });
      const { ORDER } = secp256k1.Point.Fn;
      const cases: readonly Case[] = [
        ["an empty signature", signature(() => ""), 400, "invalid_signature"],
        ["a signature that is no base64", signature(() => "!"), 400, "invalid_signature"],
        ["a signature in the url alphabet", signature(toUrlAlphabet), 400, "invalid_signature"],
        [
          "a signature without padding",
          signature((value) => value.replace(/=+$/, "")),
          400,
          "invalid_signature",
        ],
        ["a signature with a stray trailing bit", signature(withStrayBit), 400, "invalid_signature"],
        ["a signature with white space", signature((value) => `${value}\n`), 400, "invalid_signature"],
        [
          "a signature with a byte behind it",
          signature((value) => changed(value, (bytes) => Buffer.concat([bytes, Buffer.of(0)]))),
          400,
          "invalid_signature",
        ],
        [
          "a signature without its last byte",
          signature((value) => changed(value, (bytes) => bytes.subarray(0, -1))),
          400,
          "invalid_signature",
        ],
        [
          "a signature with its length in the long form",
          signature((value) =>
            changed(value, (bytes) => Buffer.concat([Buffer.of(0x30, 0x81), bytes.subarray(1)])),
          ),
          400,
          "invalid_signature",
        ],
        [
          "a signature with a needless zero",
          signature((value) => {
            const { r, s } = signatureValue(value);
            return derOf(Buffer.concat([Buffer.of(0), integer(r)]), integer(s));
          }),
          400,
          "invalid_signature",
        ],
        [
          "the signature with a high s",
          signature((value) => otherS(value, ORDER)),
          400,
          "signature_verification_error",
        ],
        [
          "a signature by another account",
          async (request, client) => ({
            ...request,
            signature: (await resetRequest(client, newUser())).signature,
          }),
          400,
          "signature_verification_error",
        ],
        [
          "a signature by the main factor",
          async (request, client, user) => {
            const { challenge, token } = (
              await client.keypairChallenge("reset", { backupAccountId: request.backupAccountId })
            ).ok();
            return { ...request, signature: user.main.sign(challenge), challengeToken: token };
          },
          400,
          "signature_verification_error",
        ],
        [
          "a challenge for another account",
          async (request, client) => ({
            ...request,
            challengeToken: (await resetRequest(client, newUser())).challengeToken,
          }),
          400,
          "invalid_challenge_context",
        ],
        [
          "the account id in another case",
          (request) => ({ ...request, backupAccountId: inOtherCase(request.backupAccountId) }),
          400,
          "invalid_challenge_context",
        ],
        ["garbage as token", { challengeToken: "x" }, 400, "jwt_error"],
        [
          "garbage as token before all else",
          { challengeToken: "x", signature: "", backupAccountId: NO_POINT },
          400,
          "jwt_error",
        ],
        [
          "another account before a bad signature",
          async (request, client) => ({
            ...request,
            signature: "",
            challengeToken: (await resetRequest(client, newUser())).challengeToken,
          }),
          400,
          "invalid_challenge_context",
        ],
        [
          "an id that is no point, before a bad signature",
          async (request, client) => {
            const { token } = (await client.keypairChallenge("reset", { backupAccountId: NO_POINT })).ok();
            return { ...request, backupAccountId: NO_POINT, challengeToken: token, signature: "" };
          },
          400,
          "invalid_backup_account_id",
        ],
        [
          "an id that is no compressed point",
          async (request, client) => {
            const backupAccountId = `backup_account_04${request.backupAccountId.slice(-64)}`;
            const { token } = (await client.keypairChallenge("reset", { backupAccountId })).ok();
            return { ...request, backupAccountId, challengeToken: token };
          },
          400,
          "invalid_backup_account_id",
        ],
        [
          "a bad signature for a backup that does not exist",
          async (_, client) => ({
            ...(await resetRequest(client, newUser())),
            signature: createAccountKeypair().sign("AAAA"),
          }),
          400,
          "signature_verification_error",
        ],
        [
          "a good signature for a backup that does not exist",
          async (_, client) => resetRequest(client, newUser()),
          404,
          "not_found",
        ],
      ];
      for (const [name, change, status, code] of cases)
        test(`${name}, and deletes nothing`, async () => {
          const { client } = service();
          const user = await urlUnsafeSignature(client);
          const answer = await client.reset(await withChange(user.request, change, client, user));
          expect([answer.status, answer.code()]).toEqual([status, code]);
          expect((await client.backupStatus({ backupId: user.account.backupAccountId })).status).toBe(200);
          expect((await client.reset(user.request)).status).toBe(204); // the token is still good
        });

      for (const operation of KEYPAIR_OPERATIONS.filter((other) => other !== "reset"))
        test(`a challenge for ${operation}`, async () => {
          const { client } = service();
          const user = newUser();
          const { backupAccountId } = user.account;
          const { challenge, token } = (
            await client.keypairChallenge(operation, {
              backupAccountId,
              factorId: backupAccountId,
              versionId: backupAccountId,
              backupId: backupAccountId,
            })
          ).ok();
          const request = { backupAccountId, signature: user.account.sign(challenge), challengeToken: token };
          expect((await client.reset(request)).code()).toBe("invalid_challenge_context");
        });

      let user: User = newUser();
      beforeAll(async () => {
        user = await userWithBackup(service().client);
      });
      test("a passkey challenge", async () => {
        const { client, services } = service();
        const { backupAccountId } = user.account;
        const context = { operation: "reset", bindings: { backupAccountId } } as const;
        const token = await services.challengeTokens.issue("passkey", new Uint8Array(32), context);
        const signed = user.account.sign(Buffer.alloc(32).toString("base64"));
        const answer = await client.reset({ backupAccountId, signature: signed, challengeToken: token });
        expect(answer.code()).toBe("unexpected_challenge_type");
      });

      test("a token that a factor's call has used", async () => {
        const { client } = service();
        const proof = await solved(client, "verify-factor", user.main);
        (await client.verifyFactor(proof)).ok();
        const { backupAccountId } = user.account;
        const answer = await client.reset({
          ...proof,
          backupAccountId,
          signature: proof.authorization.signature,
        });
        expect(answer.code()).toBe("invalid_challenge_context");
      });
    });
  });

/** A user with a backup and a reset whose signature base64url encodes differently. */
async function urlUnsafeSignature(client: ApiClient): Promise<User & { readonly request: ResetRequest }> {
  const user = await userWithBackup(client);
  for (;;) {
    const request = await resetRequest(client, user);
    if (/[+/]/.test(request.signature) && request.signature.endsWith("=")) return { ...user, request };
  }
}

function inOtherCase(backupAccountId: string): string {
  const digits = backupAccountId.slice(-66);
  return backupAccountId.replace(digits, digits.toUpperCase());
}
