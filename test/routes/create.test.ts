import { describe, expect, test } from "bun:test";
import {
  create,
  createKeypairChallenge,
  createPasskeyChallenge,
} from "../../src/protocol/examples/create.ts";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { isHighS, otherS, shortestSignature } from "../support/ecdsa-encodings.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { createMainCall, createSyncCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { blobKeys, indexed, storedRecord } from "../support/stored.ts";
import {
  createPayload,
  newUser,
  randomBytes,
  recovered,
  signed,
  solved,
  type User,
  userWithBackup,
} from "../support/users.ts";
import { proofContract } from "./proofs.ts";
import {
  authorizationMutations,
  type Change,
  changed,
  long,
  type Mutation,
  payloadContract,
  type Refusal,
  tokenMutations,
} from "./requests.ts";

const KIB = 1024;
const key = (value: RequestBody) => (body: RequestBody) => ({ ...body, initialEncryptionKey: value });

const MUTATIONS: readonly Mutation[] = [
  ...authorizationMutations("authorization"),
  ...tokenMutations("challengeToken"),
  ...authorizationMutations("initialSyncFactor"),
  ...tokenMutations("initialSyncChallengeToken"),
  ["without manifest hash", { manifestHash: undefined }, "/manifestHash"],
  ["with 31 bytes of manifest hash", { manifestHash: "a".repeat(62) }, "/manifestHash"],
  ["with 33 bytes of manifest hash", { manifestHash: "a".repeat(66) }, "/manifestHash"],
  ["with an odd digit of manifest hash", { manifestHash: "a".repeat(63) }, "/manifestHash"],
  ["with a manifest hash that is no hex", { manifestHash: "g".repeat(64) }, "/manifestHash"],
  ["with a manifest hash after 0X", { manifestHash: `0X${"a".repeat(64)}` }, "/manifestHash"],
  ["with a manifest hash after 0x twice", { manifestHash: `0x0x${"a".repeat(64)}` }, "/manifestHash"],
  ["with a line break after the manifest hash", { manifestHash: `${"a".repeat(64)}\n` }, "/manifestHash"],
  ["without account id", { backupAccountId: undefined }, "/backupAccountId"],
  ["with an account id without prefix", { backupAccountId: "02".repeat(33) }, "/backupAccountId"],
  [
    "with an account id of 64 digits",
    { backupAccountId: `backup_account_${"a".repeat(64)}` },
    "/backupAccountId",
  ],
  [
    "with an account id of 68 digits",
    { backupAccountId: `backup_account_${"a".repeat(68)}` },
    "/backupAccountId",
  ],
  [
    "with an account id that is no hex",
    { backupAccountId: `backup_account_${"z".repeat(66)}` },
    "/backupAccountId",
  ],
  [
    "with a line break after the account id",
    (body) => ({ ...body, backupAccountId: `${body.backupAccountId}\n` }),
    "/backupAccountId",
  ],
  [
    "with something before the account id",
    (body) => ({ ...body, backupAccountId: `../${body.backupAccountId}` }),
    "/backupAccountId",
  ],
  ["without encryption key", { initialEncryptionKey: undefined }, "/initialEncryptionKey"],
  [
    "with an encryption key of an unknown kind",
    key({ kind: "PIN", encryptedKey: "x" }),
    "/initialEncryptionKey",
  ],
  ["with an encryption key that has none", key({ kind: "PRF" }), "/initialEncryptionKey/encryptedKey"],
  [
    "with an encryption key over 8 KiB",
    key({ kind: "PRF", encryptedKey: long(8 * KIB + 1) }),
    "/initialEncryptionKey/encryptedKey",
  ],
  [
    "with a Turnkey key without its account",
    key({ kind: "TURNKEY", encryptedKey: "x", turnkeyUserId: "u", turnkeyPrivateKeyId: "p" }),
    "/initialEncryptionKey/turnkeyAccountId",
  ],
  [
    "with a Turnkey account over 4 KiB",
    key({
      kind: "TURNKEY",
      encryptedKey: "x",
      turnkeyAccountId: long(4 * KIB + 1),
      turnkeyUserId: "u",
      turnkeyPrivateKeyId: "p",
    }),
    "/initialEncryptionKey/turnkeyAccountId",
  ],
  ["with a Turnkey provider that is a number", { turnkeyProviderId: 1 }, "/turnkeyProviderId"],
  ["with a Turnkey provider over 4 KiB", { turnkeyProviderId: long(4 * KIB + 1) }, "/turnkeyProviderId"],
];

for (const driver of DRIVERS)
  describe(`create (${driver.name})`, () => {
    test("answers as the API reference shows", () =>
      play(driver, [createKeypairChallenge, create], { isStored: false }));
    test("hands out the passkey challenge that the API reference shows", () =>
      play(driver, [createPasskeyChallenge]));

    const service = sharedService(driver);

    test("stores content, metadata and an index row for each factor", async () => {
      const { client, services, clock } = service();
      const user = newUser(randomBytes(5_000));
      const { backupAccountId } = user.account;
      const answer = await client.create(await createPayload(client, user), user.backup);

      const createdAt = Math.floor(clock.nowMs() / 1000);
      const factor = (publicKey: string) => ({
        id: expect.any(String),
        createdAt,
        kind: { kind: "EC_KEYPAIR", publicKey },
      });
      const { backupId, backupMetadata } = answer.ok();
      expect(backupId).toBe(backupAccountId);
      expect(backupMetadata).toEqual({
        id: backupAccountId,
        keys: [{ kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" }],
        factors: [factor(user.main.publicKey)] as never,
        syncFactors: [factor(user.sync.publicKey)] as never,
        manifestHash: user.manifestHash,
        versions: [],
      });
      const { backup, metadata } = await recovered(client, user);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      expect(metadata).toEqual(backupMetadata);
      expect(await indexed(services, "MAIN", user.main)).toBe(backupAccountId);
      expect(await indexed(services, "SYNC", user.sync)).toBe(backupAccountId);
      expect(await indexed(services, "MAIN", user.sync)).toBeNull();
    });

    const accepted: readonly (readonly [
      name: string,
      change: Change<RequestBody>,
      stored: (metadata: {
        readonly keys: unknown;
        readonly manifestHash: string;
        readonly id: string;
      }) => unknown,
      expected: unknown,
    ])[] = [
      [
        "a manifest hash after 0x",
        { manifestHash: `0x${"ab".repeat(32)}` },
        ({ manifestHash }) => manifestHash,
        "ab".repeat(32),
      ],
      [
        "a manifest hash in capitals",
        { manifestHash: "AB".repeat(32) },
        ({ manifestHash }) => manifestHash,
        "ab".repeat(32),
      ],
      [
        "a manifest hash in capitals after 0x",
        { manifestHash: `0x${"Ab".repeat(32)}` },
        ({ manifestHash }) => manifestHash,
        "ab".repeat(32),
      ],
      [
        "an account id that is no point of a curve",
        { backupAccountId: `backup_account_${"f".repeat(66)}` },
        ({ id }) => id,
        `backup_account_${"f".repeat(66)}`,
      ],
      [
        "a PRF key of 8 KiB",
        key({ kind: "PRF", encryptedKey: long(8 * KIB) }),
        ({ keys }) => keys,
        [{ kind: "PRF", encryptedKey: long(8 * KIB) }],
      ],
      [
        "an encrypted key of any text",
        key({ kind: "ICLOUD", encryptedKey: " ä\u0000\n=" }),
        ({ keys }) => keys,
        [{ kind: "ICLOUD", encryptedKey: " ä\u0000\n=" }],
      ],
      [
        "a Turnkey key with members of 4 KiB and an unknown one",
        key({
          kind: "TURNKEY",
          encryptedKey: "k",
          turnkeyAccountId: long(4 * KIB),
          turnkeyUserId: "",
          turnkeyPrivateKeyId: "p",
          more: 1,
        }),
        ({ keys }) => keys,
        [
          {
            kind: "TURNKEY",
            encryptedKey: "k",
            turnkeyAccountId: long(4 * KIB),
            turnkeyUserId: "",
            turnkeyPrivateKeyId: "p",
          },
        ],
      ],
      [
        "a Turnkey provider of null",
        { turnkeyProviderId: null },
        ({ keys }) => keys,
        [{ kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" }],
      ],
      [
        "a Turnkey provider that a keypair does not need",
        { turnkeyProviderId: long(4 * KIB) },
        ({ keys }) => keys,
        [{ kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" }],
      ],
    ];
    for (const [name, change, stored, expected] of accepted)
      test(`takes ${name}`, async () => {
        const { client } = service();
        const user = newUser();
        const answer = await client.create(
          await changed(await createPayload(client, user), change),
          user.backup,
        );
        expect(stored(answer.ok().backupMetadata)).toEqual(expected);
        expect((await recovered(client, user)).metadata).toEqual(answer.ok().backupMetadata);
      });

    test("takes one key as main and as sync factor of a backup", async () => {
      const { client } = service();
      const keypair = createFactorKeypair();
      const user = await userWithBackup(client, { ...newUser(), main: keypair, sync: keypair });
      const { metadata } = await recovered(client, user);
      expect(metadata.factors[0]?.kind).toEqual(metadata.syncFactors[0]?.kind);
      expect(metadata.factors[0]?.id).not.toBe(metadata.syncFactors[0]?.id);
    });

    test("takes a key as sync factor that is a main factor elsewhere", async () => {
      const { client } = service();
      const other = await userWithBackup(client);
      const user = await userWithBackup(client, { ...newUser(), main: other.sync, sync: other.main });
      expect((await recovered(client, user)).metadata.id).toBe(user.account.backupAccountId);
      expect((await recovered(client, other)).metadata.id).toBe(other.account.backupAccountId);
    });

    for (const high of [true, false])
      test(`takes signatures with a ${high ? "high" : "low"} s`, async () => {
        const { client } = service();
        const user = newUser();
        const sign = (challenge: string) => {
          const signature = user.main.sign(challenge);
          return isHighS(signature) === high ? signature : otherS(signature);
        };
        const payload = await createPayload(client, { ...user, main: { ...user.main, sign } });
        expect(isHighS(payload.authorization.signature)).toBe(high);
        expect((await client.create(payload, user.backup)).status).toBe(200);
      });

    test("takes signatures as short as DER allows", async () => {
      const { client } = service();
      const user = newUser();
      const payload = await createPayload(client, user);
      const { challenge, token } = (await client.keypairChallenge("create")).ok();
      const { publicKey, signature } = shortestSignature(challenge);
      expect(Buffer.from(signature, "base64")).toHaveLength(8);
      const authorization = { kind: "EC_KEYPAIR", publicKey, signature };
      const answer = await client.create({ ...payload, authorization, challengeToken: token }, user.backup);
      expect(answer.ok().backupMetadata.factors[0]?.kind).toEqual({ kind: "EC_KEYPAIR", publicKey });
    });

    test("keeps its tokens good while it fails, and refuses them once it succeeded", async () => {
      const { client } = service();
      const taken = await userWithBackup(client);
      const user = newUser();
      const payload = await createPayload(client, user);
      const { backupAccountId } = taken.account;
      expect((await client.create({ ...payload, backupAccountId }, user.backup)).status).toBe(409);
      expect((await client.create(payload, new Uint8Array(0))).code()).toBe("empty_backup_file");
      (await client.create(payload, user.backup)).ok();
      expect((await client.create(payload, user.backup)).code()).toBe("already_used");
      expect((await client.create({ ...payload, backupAccountId }, user.backup)).code()).toBe("already_used");
    });

    test("leaves nothing behind when it fails", async () => {
      const { client, services } = service();
      const taken = await userWithBackup(client);
      const before = await blobKeys(services);
      const user = newUser();
      for (const wrong of [
        { ...user, account: taken.account },
        { ...user, main: taken.main },
        { ...user, sync: taken.sync },
      ])
        expect((await client.create(await createPayload(client, wrong), user.backup)).status).toBeGreaterThan(
          399,
        );

      expect((await blobKeys(services)).toSorted()).toEqual(before.toSorted());
      expect(await services.records.read(user.account.backupAccountId)).toBeNull();
      expect(await indexed(services, "MAIN", user.main)).toBeNull();
      expect(await indexed(services, "SYNC", user.sync)).toBeNull();
      expect((await storedRecord(services, taken.account.backupAccountId)).metadata.factors).toHaveLength(1);
      await userWithBackup(client, user);
    });

    proofContract(service, createMainCall);
    proofContract(service, createSyncCall);
    payloadContract(service, "/v1/create", (client) => createPayload(client, newUser()), MUTATIONS);

    describe("refuses", () => {
      const passkey = { kind: "PASSKEY", credential: {} };
      const account = {
        kind: "OIDC_ACCOUNT",
        oidcToken: { kind: "GOOGLE", token: "x" },
        publicKey: "",
        signature: "",
      };
      type Case = Refusal<RequestBody, [context: { readonly client: ApiClient; readonly taken: User }]>;
      const stranger = async (client: ApiClient) => {
        const { authorization, challengeToken } = await solved(client, "create", createFactorKeypair());
        return { authorization, challengeToken };
      };
      const cases: readonly Case[] = [
        [
          "an account id that is taken",
          (body, { taken }) => ({ ...body, backupAccountId: taken.account.backupAccountId }),
          409,
          "backup_account_id_already_exists",
        ],
        [
          "a main factor that is in use",
          async (body, { client, taken }) => ({ ...body, ...(await solved(client, "create", taken.main)) }),
          400,
          "factor_already_exists",
        ],
        [
          "a sync factor that is in use",
          async (body, { client, taken }) => {
            const { authorization, challengeToken } = await solved(client, "create", taken.sync);
            return { ...body, initialSyncFactor: authorization, initialSyncChallengeToken: challengeToken };
          },
          400,
          "factor_already_exists",
        ],
        [
          "a taken id before a main factor that is in use",
          async (body, { client, taken }) => ({
            ...body,
            ...(await solved(client, "create", taken.main)),
            backupAccountId: taken.account.backupAccountId,
          }),
          409,
          "backup_account_id_already_exists",
        ],
        ["a passkey as sync factor", { initialSyncFactor: passkey }, 400, "invalid_sync_factor_type"],
        ["an account as sync factor", { initialSyncFactor: account }, 400, "invalid_sync_factor_type"],
        [
          "an account as main factor without Turnkey provider",
          { authorization: account },
          400,
          "missing_turnkey_provider_id",
        ],
        [
          "an account as main factor with a Turnkey provider of null",
          { authorization: account, turnkeyProviderId: null },
          400,
          "missing_turnkey_provider_id",
        ],
        [
          "a bad main factor before a passkey as sync factor",
          { challengeToken: "x", initialSyncFactor: passkey },
          400,
          "jwt_error",
        ],
        [
          "a passkey as sync factor before its token",
          { initialSyncFactor: passkey, initialSyncChallengeToken: "x" },
          400,
          "invalid_sync_factor_type",
        ],
        [
          "a bad signature of the main factor before the sync factor's token",
          (body) => ({
            ...body,
            authorization: { ...(body.authorization as object), signature: "" },
            initialSyncChallengeToken: "x",
          }),
          400,
          "signature_verification_error",
        ],
        [
          "a bad sync factor before a taken id",
          (body, { taken }) => ({
            ...body,
            initialSyncChallengeToken: "x",
            backupAccountId: taken.account.backupAccountId,
          }),
          400,
          "jwt_error",
        ],
        [
          "one challenge for both factors",
          (body) => ({
            ...body,
            initialSyncFactor: body.authorization,
            initialSyncChallengeToken: body.challengeToken,
          }),
          400,
          "already_used",
        ],
        [
          "the two tokens in each other's place",
          (body) => ({
            ...body,
            challengeToken: body.initialSyncChallengeToken,
            initialSyncChallengeToken: body.challengeToken,
          }),
          400,
          "signature_verification_error",
        ],
        [
          "a sync factor's token that a create has used",
          async (body, { client }) => {
            const user = newUser();
            const used = {
              ...body,
              ...(await stranger(client)),
              backupAccountId: user.account.backupAccountId,
            };
            (await client.create(used, user.backup)).ok();
            return body;
          },
          400,
          "already_used",
        ],
        [
          "a factor signed with the other's key",
          async (body, { client }) => {
            const { challenge, token } = (await client.keypairChallenge("create")).ok();
            const [one, two] = [createFactorKeypair(), createFactorKeypair()];
            const authorization = { ...signed(one, challenge), publicKey: two.publicKey };
            return { ...body, authorization, challengeToken: token };
          },
          400,
          "signature_verification_error",
        ],
      ];
      for (const [name, change, status, code] of cases)
        test(`${name}, and stores nothing`, async () => {
          const { client, services } = service();
          const taken = await userWithBackup(client);
          const user = newUser();
          const payload = await changed(await createPayload(client, user), change, { client, taken });
          const answer = await client.create(payload, user.backup);
          expect([answer.status, answer.code()]).toEqual([status, code]);
          expect(await services.records.read(user.account.backupAccountId)).toBeNull();
          expect(await indexed(services, "MAIN", user.main)).toBeNull();
        });
    });
  });
