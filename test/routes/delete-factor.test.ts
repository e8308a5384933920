import { describe, expect, test } from "bun:test";
import { deleteFactor, deleteFactorChallenge } from "../../src/protocol/examples/delete-factor.ts";
import type { JsonObject, JsonValue } from "../../src/storage/contract.ts";
import { factorKeys } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { addedSyncFactor, deleteFactorCall } from "../support/proven-calls.ts";
import type { TestService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import {
  blobKeys,
  firstUsedAt,
  indexed,
  rewriteMetadata,
  storedAccount,
  storedPasskey,
  storedRecord,
} from "../support/stored.ts";
import { metadataOf, newUser, recovered, solved, type User, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import { authorizationMutations, jsonRequestContract, long, tokenMutations } from "./requests.ts";

const ICLOUD = { kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" };
const PRF = { kind: "PRF", encryptedKey: "prf key" };
const TURNKEY = {
  kind: "TURNKEY",
  encryptedKey: "turnkey key",
  turnkeyAccountId: "a",
  turnkeyUserId: "u",
  turnkeyPrivateKeyId: "p",
};
/** Main factors as they are stored. */
const OTHERS = {
  passkey: storedPasskey,
  account: (id: string) => storedAccount("GOOGLE", id),
  keypair: (id: string) => ({ kind: "EC_KEYPAIR", publicKey: id }),
};
const INDEX_KEYS = {
  passkey: (id: string) => factorKeys.passkey(id),
  account: (id: string) => factorKeys.oidcAccount("https://issuer", id),
  keypair: (id: string) => factorKeys.ecKeypair(id),
};

/** Puts a further main factor of any kind on a backup, and these keys in the place of its own. */
async function withMainFactor(
  { services }: TestService,
  user: User,
  kind: keyof typeof OTHERS,
  keys: readonly JsonObject[],
): Promise<string> {
  const id = crypto.randomUUID();
  const { backupAccountId: backupId } = user.account;
  const added = { id, createdAt: 1, kind: OTHERS[kind](id) };
  const claim = [{ scope: "MAIN", key: INDEX_KEYS[kind](id) } as const];
  const withFactor = (metadata: JsonObject) => {
    const factors = [...(metadata.factors as JsonValue[]), added];
    return { ...metadata, factors, keys };
  };
  await rewriteMetadata(services, backupId, withFactor, claim);
  return id;
}

async function removal(client: ApiClient, user: User, factorId: string, more: RequestBody) {
  return { ...(await solved(client, "delete-factor", user.sync, { factorId })), factorId, ...more };
}

async function firstMainFactorId(client: ApiClient, user: User): Promise<string> {
  return (await metadataOf(client, user)).factors[0]?.id ?? "";
}

for (const driver of DRIVERS)
  describe(`delete-factor (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [deleteFactorChallenge, deleteFactor]));

    const service = sharedService(driver);

    test("removes a sync factor with its index row, and returns what is left", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const phone = createFactorKeypair();
      const factorId = await addedSyncFactor(client, user, phone);

      const answer = await client.deleteFactor(await removal(client, user, factorId, { scope: "SYNC" }));
      const { backupDeleted, backupMetadata } = answer.ok();
      expect(backupDeleted).toBe(false);
      expect(backupMetadata).toEqual(await metadataOf(client, user));
      expect(backupMetadata?.syncFactors).toHaveLength(1);
      expect(await indexed(services, "SYNC", phone)).toBeNull();
      expect((await client.sync({}, new Uint8Array(1))).status).toBe(400);
      expect((await client.retrieveMetadata(await solved(client, "retrieve-metadata", phone))).code()).toBe(
        "backup_untraceable",
      );
    });

    test("lets a sync factor remove itself, even the last one", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const factorId = (await metadataOf(client, user)).syncFactors[0]?.id ?? "";
      const request = await removal(client, user, factorId, { scope: "SYNC" });
      expect((await client.deleteFactor(request)).ok().backupMetadata?.syncFactors).toEqual([]);
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      expect((await client.deleteFactor(request)).code()).toBe("already_used");
      expect((await recovered(client, user)).metadata.syncFactors).toEqual([]);
    });

    test("removes a main factor and leaves the keys when none is named", async () => {
      const given = service();
      const user = await userWithBackup(given.client);
      const factorId = await withMainFactor(given, user, "passkey", [ICLOUD, PRF]);
      const request = await removal(given.client, user, factorId, { scope: "MAIN", encryptionKey: null });
      const { backupMetadata } = (await given.client.deleteFactor(request)).ok();
      expect(backupMetadata?.factors).toHaveLength(1);
      expect(backupMetadata?.keys).toEqual([ICLOUD, PRF] as never);
      const { backupId } = await given.services.records.locate(
        { scope: "MAIN", key: factorKeys.passkey(factorId) },
        [],
      );
      expect(backupId).toBeNull();
    });

    test("deletes the backup with the last main factor, whatever key is named", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const phone = createFactorKeypair();
      await addedSyncFactor(client, user, phone);
      const { backupAccountId } = user.account;
      const blob = (await storedRecord(services, backupAccountId)).blob.key;
      const factorId = await firstMainFactorId(client, user);

      const request = await removal(client, user, factorId, { scope: "MAIN", encryptionKey: PRF });
      expect((await client.deleteFactor(request)).ok()).toEqual({
        backupDeleted: true,
        backupMetadata: null,
      });
      expect(await services.records.read(backupAccountId)).toBeNull();
      expect(await blobKeys(services)).toContain(blob); // until the backup can be brought back no longer
      expect(await indexed(services, "MAIN", user.main)).toBeNull();
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      expect(await indexed(services, "SYNC", phone)).toBeNull();
      await userWithBackup(client, user);
    });

    test("keeps members of the metadata that this version does not know", async () => {
      const { client, clock, services } = service();
      const user = await userWithBackup(client);
      const factorId = await addedSyncFactor(client, user);
      const { backupAccountId: backupId } = user.account;
      const metadata = await rewriteMetadata(services, backupId, (stored) => {
        const [first, ...rest] = stored.syncFactors as JsonObject[];
        return { ...stored, syncFactors: [{ ...first, later: [1] }, ...rest], later: { a: null } };
      });

      const answer = await client.deleteFactor(await removal(client, user, factorId, { scope: "SYNC" }));
      expect(JSON.stringify(answer.ok())).not.toContain("later");
      const after = await storedRecord(services, backupId);
      const [first = {}] = metadata.syncFactors as JsonObject[];
      expect(after.metadata).toEqual(firstUsedAt({ ...metadata, syncFactors: [first] }, clock.nowMs()));
    });

    describe("with an encryption key", () => {
      type Kind = keyof typeof OTHERS;
      const cases: readonly (readonly [
        name: string,
        factors: readonly Kind[],
        keys: readonly JsonObject[],
        removed: RequestBody,
        expected: "removed" | "encryption_key_not_found" | "factor_orphaned_from_encryption_key",
      ])[] = [
        ["that only the removed passkey needed", ["passkey"], [ICLOUD, PRF], PRF, "removed"],
        ["that only the removed account needed", ["account"], [ICLOUD, TURNKEY], TURNKEY, "removed"],
        [
          "whose members come in another order",
          ["account"],
          [ICLOUD, TURNKEY],
          Object.fromEntries(Object.entries(TURNKEY).reverse()),
          "removed",
        ],
        ["with a member that nobody knows", ["passkey"], [ICLOUD, PRF], { ...PRF, more: 1 }, "removed"],
        ["that is stored with an unknown member", ["passkey"], [ICLOUD, { ...PRF, more: 1 }], PRF, "removed"],
        ["that no factor needs", ["keypair"], [ICLOUD, PRF], PRF, "removed"],
        [
          "that another passkey needs",
          ["passkey", "passkey"],
          [ICLOUD, PRF],
          PRF,
          "factor_orphaned_from_encryption_key",
        ],
        [
          "that another account needs",
          ["account", "account"],
          [ICLOUD, TURNKEY],
          TURNKEY,
          "factor_orphaned_from_encryption_key",
        ],
        [
          "that the remaining keypair needs",
          ["passkey"],
          [ICLOUD, PRF],
          ICLOUD,
          "factor_orphaned_from_encryption_key",
        ],
        [
          "of another kind that a remaining account needs",
          ["passkey", "account"],
          [ICLOUD, PRF, TURNKEY],
          TURNKEY,
          "factor_orphaned_from_encryption_key",
        ],
        [
          "of another value",
          ["passkey"],
          [ICLOUD, PRF],
          { ...PRF, encryptedKey: "prf kez" },
          "encryption_key_not_found",
        ],
        [
          "of another case",
          ["passkey"],
          [ICLOUD, PRF],
          { ...PRF, encryptedKey: "PRF KEY" },
          "encryption_key_not_found",
        ],
        [
          "of another kind",
          ["passkey"],
          [ICLOUD, PRF],
          { ...PRF, kind: "ICLOUD" },
          "encryption_key_not_found",
        ],
        [
          "with another Turnkey account",
          ["account"],
          [ICLOUD, TURNKEY],
          { ...TURNKEY, turnkeyUserId: "x" },
          "encryption_key_not_found",
        ],
        [
          "that is not there before one that is needed",
          ["passkey"],
          [ICLOUD, PRF],
          { ...ICLOUD, encryptedKey: "x" },
          "encryption_key_not_found",
        ],
      ];
      for (const [name, kinds, keys, encryptionKey, expected] of cases)
        test(`${name}: ${expected}`, async () => {
          const given = service();
          const { client } = given;
          const user = await userWithBackup(client);
          let factorId = "";
          for (const kind of kinds.toReversed()) factorId = await withMainFactor(given, user, kind, keys);
          const before = await storedRecord(given.services, user.account.backupAccountId);
          const request = await removal(client, user, factorId, { scope: "MAIN", encryptionKey });
          const answer = await client.deleteFactor(request);
          if (expected === "removed") {
            const left = keys
              .filter(({ kind }) => kind !== encryptionKey.kind)
              .map(({ more: _, ...key }) => key);
            expect(answer.ok().backupMetadata?.keys).toEqual(left as never);
            expect(answer.ok().backupMetadata?.factors).toHaveLength(kinds.length);
          } else {
            expect([answer.status, answer.code()]).toEqual([400, expected]);
            expect(await storedRecord(given.services, user.account.backupAccountId)).toEqual(before);
          }
        });
    });

    proofContract(service, deleteFactorCall);
    existingFactorContract(service, deleteFactorCall);
    jsonRequestContract(
      service,
      "/v1/delete-factor",
      async (client) => {
        const user = await userWithBackup(client);
        return removal(client, user, await addedSyncFactor(client, user), { scope: "SYNC" });
      },
      [
        ...authorizationMutations("authorization"),
        ...tokenMutations("challengeToken"),
        ["without factorId", { factorId: undefined }, "/factorId"],
        ["with factorId a number", { factorId: 1 }, "/factorId"],
        ["with factorId over 4 KiB", { factorId: long(4097) }, "/factorId"],
        ["without scope", { scope: undefined }, "/scope"],
        ["with scope in lower case", { scope: "sync" }, "/scope"],
        ["with another scope", { scope: "ALL" }, "/scope"],
        ["with encryptionKey a text", { encryptionKey: "PRF" }, "/encryptionKey"],
        [
          "with encryptionKey of an unknown kind",
          { encryptionKey: { kind: "X", encryptedKey: "x" } },
          "/encryptionKey",
        ],
        [
          "with encryptionKey without its key",
          { encryptionKey: { kind: "PRF" } },
          "/encryptionKey/encryptedKey",
        ],
        [
          "with encryptionKey over 8 KiB",
          { encryptionKey: { kind: "PRF", encryptedKey: long(8193) } },
          "/encryptionKey/encryptedKey",
        ],
      ],
    );

    test("its challenge is bound to a factor id of any text, up to 4 KiB", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      for (const factorId of ["", "\u0000", "ä\ud800", long(4096)]) {
        const answer = await client.deleteFactor(await removal(client, user, factorId, { scope: "SYNC" }));
        expect(answer.code()).toBe("factor_not_found");
      }
      for (const factorId of [undefined, null, 1, long(4097)]) {
        const answer = await client.keypairChallenge("delete-factor", { factorId });
        expect([answer.status, answer.code()]).toEqual([422, "invalid_payload"]);
      }
    });

    describe("refuses", () => {
      const passkey = { kind: "PASSKEY", credential: {} };
      const none = "00000000-0000-4000-8000-000000000000";
      type Ids = { readonly main: string; readonly sync: string; readonly theirs: string };
      type Case = readonly [
        name: string,
        request: (client: ApiClient, user: User, ids: Ids) => Promise<RequestBody>,
        code: string,
      ];
      const cases: readonly Case[] = [
        [
          "a factor that nobody has",
          (client, user) => removal(client, user, none, { scope: "SYNC" }),
          "factor_not_found",
        ],
        [
          "a main factor in the scope of sync factors",
          (client, user, { main }) => removal(client, user, main, { scope: "SYNC" }),
          "factor_not_found",
        ],
        [
          "a sync factor in the scope of main factors",
          (client, user, { sync }) => removal(client, user, sync, { scope: "MAIN" }),
          "factor_not_found",
        ],
        [
          "the factor of another backup",
          (client, user, { theirs }) => removal(client, user, theirs, { scope: "SYNC" }),
          "factor_not_found",
        ],
        [
          "a factor id in capitals",
          (client, user, { sync }) => removal(client, user, sync.toUpperCase(), { scope: "SYNC" }),
          "factor_not_found",
        ],
        [
          "a factor that is not there before a key that is not",
          (client, user) => removal(client, user, none, { scope: "MAIN", encryptionKey: PRF }),
          "factor_not_found",
        ],
        [
          "a key with a sync factor",
          (client, user, { sync }) => removal(client, user, sync, { scope: "SYNC", encryptionKey: ICLOUD }),
          "encryption_key_not_allowed",
        ],
        [
          "a key with a sync factor before all else",
          (client, user, { sync }) =>
            removal(client, user, sync, {
              scope: "SYNC",
              encryptionKey: ICLOUD,
              challengeToken: "x",
              authorization: passkey,
            }),
          "encryption_key_not_allowed",
        ],
        [
          "a passkey",
          (client, user, { sync }) =>
            removal(client, user, sync, { scope: "SYNC", authorization: passkey, challengeToken: "x" }),
          "invalid_authorization_type",
        ],
        [
          "the challenge for another factor",
          async (client, user, { main, sync }) => ({
            ...(await removal(client, user, main, { scope: "SYNC" })),
            factorId: sync,
          }),
          "invalid_challenge_context",
        ],
        [
          "a bad signature before a factor that is not there",
          async (client, user) => {
            const request = await removal(client, user, none, { scope: "SYNC" });
            return { ...request, authorization: { ...request.authorization, signature: "" } };
          },
          "signature_verification_error",
        ],
      ];
      for (const [name, request, code] of cases)
        test(`${name}, and removes nothing`, async () => {
          const { client, services } = service();
          const user = await userWithBackup(client);
          const other = await userWithBackup(client, newUser());
          const { factors, syncFactors } = await metadataOf(client, user);
          const ids = {
            main: factors[0]?.id ?? "",
            sync: syncFactors[0]?.id ?? "",
            theirs: (await metadataOf(client, other)).syncFactors[0]?.id ?? "",
          };
          const before = await storedRecord(services, user.account.backupAccountId);
          const answer = await client.deleteFactor(await request(client, user, ids));
          expect([answer.status, answer.code()]).toEqual([400, code]);
          expect(await storedRecord(services, user.account.backupAccountId)).toEqual(before);
          expect((await metadataOf(client, other)).syncFactors).toHaveLength(1);
        });
    });
  });
