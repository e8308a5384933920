import { describe, expect, test } from "bun:test";
import {
  retrieveMetadata,
  retrieveMetadataChallenge,
} from "../../src/protocol/examples/retrieve-metadata.ts";
import { factorKeys } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { retrieveMetadataCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { addIndexRow, rewriteMetadata, storedAccount, storedPasskey } from "../support/stored.ts";
import { newUser, recovered, solved, type User, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import {
  authorizationMutations,
  changed,
  jsonRequestContract,
  long,
  type Refusal,
  tokenMutations,
} from "./requests.ts";

const validRequest = async (client: ApiClient): Promise<RequestBody> =>
  solved(client, "retrieve-metadata", (await userWithBackup(client)).sync);

for (const driver of DRIVERS)
  describe(`retrieve-metadata (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [retrieveMetadataChallenge, retrieveMetadata]));

    const service = sharedService(driver);

    test("returns the metadata that a recovery returns, and nothing of the content", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const { metadata } = await recovered(client, user);
      const answer = await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync));
      expect(answer.ok()).toEqual(metadata);
      expect(JSON.stringify(answer.body)).not.toContain(
        Buffer.from(user.backup).toString("base64").slice(0, 20),
      );
    });

    for (const [name, backupId] of [
      ["its own backup id", (user: User) => user.account.backupAccountId],
      ["a backup id of null", () => null],
    ] as const)
      test(`takes ${name}`, async () => {
        const { client } = service();
        const user = await userWithBackup(client);
        const proof = await solved(client, "retrieve-metadata", user.sync);
        const answer = await client.retrieveMetadata({ ...proof, backupId: backupId(user) });
        expect(answer.ok().id).toBe(user.account.backupAccountId);
      });

    test("does not consume its token when the backup id was wrong", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const proof = await solved(client, "retrieve-metadata", user.sync);
      expect((await client.retrieveMetadata({ ...proof, backupId: "another" })).code()).toBe(
        "backup_id_mismatch",
      );
      expect((await client.retrieveMetadata(proof)).status).toBe(200);
    });

    test("shows passkeys and accounts on a backup, without what identifies their owner elsewhere", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { backupAccountId } = user.account;
      const { credential: _, ...passkey } = storedPasskey("Y3JlZA");
      const oidc = { ...storedAccount("APPLE", "subject"), later: "secret" };
      const factors = [
        { id: "1", createdAt: 1, kind: { ...storedPasskey("Y3JlZA"), later: "secret" } },
        { id: "2", createdAt: 2, kind: oidc, more: "secret" },
      ];
      await rewriteMetadata(services, backupAccountId, (metadata) => ({
        ...metadata,
        factors,
        note: "secret",
      }));

      const proof = await solved(client, "retrieve-metadata", user.sync);
      const answer = (await client.retrieveMetadata(proof)).ok();
      expect(answer.factors).toEqual([
        { id: "1", createdAt: 1, kind: passkey as never },
        {
          id: "2",
          createdAt: 2,
          kind: {
            kind: "OIDC_ACCOUNT",
            account: { kind: "APPLE", maskedEmail: "ab***@c.d" },
            turnkeyProviderId: "provider",
          },
        },
      ]);
      expect(JSON.stringify(answer)).not.toMatch(/secret|subject|issuer|cHVibGljIGtleQ/);
    });

    proofContract(service, retrieveMetadataCall);
    existingFactorContract(service, retrieveMetadataCall);
    jsonRequestContract(service, "/v1/retrieve-metadata", validRequest, [
      ...authorizationMutations("authorization"),
      ...tokenMutations("challengeToken"),
      ["with backupId a number", { backupId: 1 }, "/backupId"],
      ["with backupId over 4 KiB", { backupId: long(4097) }, "/backupId"],
    ]);

    describe("refuses", () => {
      const cases: readonly Refusal<RequestBody, [other: User]>[] = [
        [
          "a backup id of another user",
          (request, other) => ({ ...request, backupId: other.account.backupAccountId }),
          400,
          "backup_id_mismatch",
        ],
        [
          "a backup id that nobody has",
          { backupId: newUser().account.backupAccountId },
          400,
          "backup_id_mismatch",
        ],
        ["a backup id of the longest length", { backupId: long(4096) }, 400, "backup_id_mismatch"],
        [
          "a passkey",
          { authorization: { kind: "PASSKEY", credential: {} } },
          400,
          "invalid_authorization_type",
        ],
        [
          "an account",
          {
            authorization: {
              kind: "OIDC_ACCOUNT",
              oidcToken: { kind: "APPLE", token: "x", aud: null },
              publicKey: "",
              signature: "",
            },
          },
          400,
          "invalid_authorization_type",
        ],
        [
          "a passkey before the token is opened",
          { authorization: { kind: "PASSKEY", credential: {}, label: null }, challengeToken: "x" },
          400,
          "invalid_authorization_type",
        ],
      ];
      for (const [name, change, status, code] of cases)
        test(name, async () => {
          const { client } = service();
          const answer = await client.retrieveMetadata(
            await changed(await validRequest(client), change, await userWithBackup(client)),
          );
          expect([answer.status, answer.code()]).toEqual([status, code]);
        });

      const untraced: readonly (readonly [
        name: string,
        backupId: (existing: User) => string | null,
        code: string,
      ])[] = [
        ["a stranger who names no backup", () => null, "backup_untraceable"],
        [
          "a stranger who names a backup that exists",
          ({ account }) => account.backupAccountId,
          "unauthorized_factor",
        ],
        [
          "a stranger who names none that exists",
          () => newUser().account.backupAccountId,
          "backup_does_not_exist",
        ],
        ["a stranger who names something else", () => "", "backup_does_not_exist"],
      ];
      for (const [name, backupId, code] of untraced)
        test(name, async () => {
          const { client } = service();
          const existing = await userWithBackup(client);
          const proof = await solved(client, "retrieve-metadata", createFactorKeypair());
          const answer = await client.retrieveMetadata({ ...proof, backupId: backupId(existing) });
          expect([answer.status, answer.code()]).toEqual([400, code]);
        });

      test("a factor of another backup whose index row names the one it asks for", async () => {
        const { client, services } = service();
        const user = await userWithBackup(client);
        const stranger = createFactorKeypair();
        const { backupAccountId } = user.account;
        const factor = { scope: "SYNC", key: factorKeys.ecKeypair(stranger.publicKey) } as const;
        await addIndexRow(services, backupAccountId, factor);
        const proof = await solved(client, "retrieve-metadata", stranger);
        const answer = await client.retrieveMetadata({ ...proof, backupId: backupAccountId });
        expect(answer.code()).toBe("unauthorized_factor");
      });
    });
  });
