import { describe, expect, test } from "bun:test";
import { backupStatus } from "../../src/protocol/examples/backup-status.ts";
import { DRIVERS } from "../drivers.ts";
import { play } from "../support/example.ts";
import { sharedService } from "../support/shared-service.ts";
import { rewriteMetadata, storedAccount, storedPasskey } from "../support/stored.ts";
import { newUser, solved, userWithBackup } from "../support/users.ts";
import { jsonRequestContract, long } from "./requests.ts";

for (const driver of DRIVERS)
  describe(`backup/status (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [backupStatus]));

    const service = sharedService(driver);

    test("returns the kinds of the main factors and nothing else", async () => {
      const { client } = service();
      const { account } = await userWithBackup(client);
      const backupId = account.backupAccountId;
      expect((await client.backupStatus({ backupId: backupId })).ok()).toEqual({
        backupId,
        factors: [{ kind: "EC_KEYPAIR", accountKind: null }],
      });
    });

    test("returns main factors of every kind in their order", async () => {
      const { client, services } = service();
      const { account } = await userWithBackup(client);
      const backupId = account.backupAccountId;
      const kinds = [
        storedAccount("APPLE", "a"),
        storedPasskey("Y3JlZA"),
        storedAccount("GOOGLE", "g"),
        { kind: "EC_KEYPAIR", publicKey: "key" },
      ];
      const factors = kinds.map((kind, index) => ({ id: String(index), createdAt: 10 - index, kind }));
      await rewriteMetadata(services, backupId, (metadata) => ({ ...metadata, factors }));
      expect((await client.backupStatus({ backupId })).body).toEqual({
        backupId,
        factors: [
          { kind: "OIDC_ACCOUNT", accountKind: "APPLE" },
          { kind: "PASSKEY", accountKind: null },
          { kind: "OIDC_ACCOUNT", accountKind: "GOOGLE" },
          { kind: "EC_KEYPAIR", accountKind: null },
        ],
      });
    });

    test("knows a backup no longer once it is deleted", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      expect((await client.backupStatus({ backupId: user.account.backupAccountId })).status).toBe(404);
    });

    jsonRequestContract(
      service,
      "/v1/backup/status",
      async (client) => ({ backupId: (await userWithBackup(client)).account.backupAccountId }),
      [
        ["without backupId", { backupId: undefined }, "/backupId"],
        ["with backupId null", { backupId: null }, "/backupId"],
        ["with backupId a list", (body) => ({ backupId: [body.backupId] }), "/backupId"],
        ["with backupId over 4 KiB", { backupId: long(4097) }, "/backupId"],
      ],
    );

    describe("finds nothing under", () => {
      const cases: readonly (readonly [name: string, wrong: (backupId: string) => string])[] = [
        ["an id that nobody has", () => newUser().account.backupAccountId],
        ["an empty id", () => ""],
        ["an id of the longest length", () => long(4096)],
        ["an id in capitals", (id) => id.toUpperCase()],
        ["an id with white space", (id) => `${id} `],
        ["a part of an id", (id) => id.slice(0, -1)],
        ["an id with a wildcard", (id) => `${id.slice(0, -1)}%`],
        ["an id that is no Unicode", () => "\ud800"],
        ["an id with a zero byte", (id) => `${id}\u0000`],
        ["an id that is a statement", () => "' OR 1=1 --"],
      ];
      for (const [name, wrong] of cases)
        test(name, async () => {
          const { client } = service();
          const { account } = await userWithBackup(client);
          const body = { backupId: wrong(account.backupAccountId) };
          const answer = await client.backupStatus(body);
          expect([answer.status, answer.code()]).toEqual([404, "not_found"]);
        });
    });
  });
