import { describe, expect, test } from "bun:test";
import { encodeBase64 } from "../../src/crypto/encoding.ts";
import { DRIVERS } from "../drivers.ts";
import { addFactor } from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  type Account,
  type AccountOptions,
  type ChallengeValue,
  created,
  createPayloadOf,
  factorService,
  ICLOUD,
  type MainOperation,
  newAccount,
  newFactorUser,
  newKeypair,
  proven,
  recoveredBy,
  removeFactor,
  TURNKEY,
  TURNKEY_PROVIDER_ID,
} from "../support/factors.ts";
import { blobKeys, indexedAs, storedRecord } from "../support/stored.ts";
import { solved } from "../support/users.ts";

const PROVIDERS = ["GOOGLE", "APPLE"] as const;
const OPERATIONS: readonly MainOperation[] = ["retrieve", "verify-factor"];
const MINUTE_S = 60;
const DAY_MS = 24 * 60 * 60 * 1000;
const SECOND_CLIENT = "org.example.web";

for (const driver of DRIVERS)
  describe(`accounts (${driver.name})`, () => {
    const { service, issuer } = factorService(driver, { env: { LOG_LEVEL: "trace" } });
    const nowS = () => Math.floor(service().clock.nowMs() / 1000);

    const call = (operation: MainOperation, body: RequestBody) => {
      const { client } = service();
      return operation === "retrieve" ? client.retrieve(body) : client.verifyFactor(body);
    };
    const sendProof = async (operation: MainOperation, account: Account, options: AccountOptions = {}) => {
      const prove = (challenge: ChallengeValue) => account.authorize(challenge, options);
      return call(operation, await proven(service().client, operation, { challengeType: "keypair", prove }));
    };
    const sendCreate = async (account: Account, options: AccountOptions = {}, more: RequestBody = {}) => {
      const { client } = service();
      const user = newFactorUser(account);
      const payload = await createPayloadOf(client, user, (challenge) =>
        account.authorize(challenge, options),
      );
      return { user, answer: await client.create({ ...payload, ...more }, user.backup) };
    };

    for (const provider of PROVIDERS)
      test(`of ${provider} make a backup, verify and recover it, without what identifies them elsewhere`, async () => {
        const { client, clock, services, logged } = service();
        const account = newAccount(provider, issuer);
        const user = newFactorUser(account);
        const payload = await createPayloadOf(client, user);
        const { backupMetadata } = (await client.create(payload, user.backup)).ok();
        const masked = `${account.email.slice(0, 2)}***@mail.example.com`;
        expect(backupMetadata.factors).toEqual([
          {
            id: expect.any(String),
            createdAt: Math.floor(clock.nowMs() / 1000),
            kind: {
              kind: "OIDC_ACCOUNT",
              account: { kind: provider, maskedEmail: masked },
              turnkeyProviderId: TURNKEY_PROVIDER_ID,
            },
          },
        ] as never);
        expect(backupMetadata.keys).toEqual([TURNKEY] as never);

        const { backup, metadata } = await recoveredBy(client, account);
        expect(backup).toBe(encodeBase64(user.backup));
        expect(metadata).toEqual(backupMetadata);
        const backupId = user.account.backupAccountId;
        expect((await sendProof("verify-factor", account)).ok()).toEqual({ backupId });
        const status = await client.backupStatus({ backupId: backupId });
        expect(status.ok().factors).toEqual([{ kind: "OIDC_ACCOUNT", accountKind: provider }]);

        const bySync = (
          await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync))
        ).ok();
        const stored = JSON.stringify((await storedRecord(services, backupId)).metadata);
        const exported = JSON.stringify([backupMetadata, metadata, bySync, status.body]);
        const issuerName = provider === "GOOGLE" ? "accounts.google.com" : "appleid.apple.com";
        for (const secret of [account.sub, issuerName]) {
          expect(stored).toContain(secret);
          expect(exported).not.toContain(secret);
        }
        const local = account.email.split("@")[0] ?? "";
        for (const secret of [local, String(payload.authorization.oidcToken)])
          for (const place of [stored, exported, logged.join("")]) expect(place).not.toContain(secret);
        expect(logged.join("")).not.toContain(account.sub);
      });

    test.each([
      ["ada@example.com", "ad***@example.com"],
      ["ad@example.com", "ad@example.com"],
      ["a@example.com", "a@example.com"],
      ["😀😁😂@example.com", "😀😁***@example.com"],
      ["no address", ""],
      ["a@b@c", ""],
      ["@example.com", ""],
      ["ada@", ""],
    ])("show %j as %j", async (email, maskedEmail) => {
      const { answer } = await sendCreate(newAccount("GOOGLE", issuer), { claims: { email } });
      expect(answer.ok().backupMetadata.factors[0]?.kind).toMatchObject({ account: { maskedEmail } });
    });

    test("need an e-mail address to be registered, and none later", async () => {
      const account = newAccount("APPLE", issuer);
      for (const email of [undefined, null, "", 7]) {
        const { answer } = await sendCreate(account, { claims: { email } });
        expect([answer.status, answer.code()]).toEqual([400, "missing_email"]);
      }
      (await sendCreate(account)).answer.ok();
      (await sendProof("retrieve", account, { claims: { email: undefined } })).ok();
    });

    test("need a Turnkey provider id, and are verified only with one", async () => {
      const account = newAccount("GOOGLE", issuer);
      for (const turnkeyProviderId of [undefined, null]) {
        const { answer } = await sendCreate(account, { token: "no token" }, { turnkeyProviderId });
        expect([answer.status, answer.code()]).toEqual([400, "missing_turnkey_provider_id"]);
      }
      (await sendCreate(account)).answer.ok();
    });

    test("are the same by provider and subject, whatever else changes", async () => {
      const { client } = service();
      const google = newAccount("GOOGLE", issuer);
      const user = (await sendCreate(google)).user;
      (await sendProof("retrieve", google, { claims: { email: "other@example.com", name: "Ada" } })).ok();
      expect((await sendCreate(google, { claims: { email: "other@example.com" } })).answer.code()).toBe(
        "factor_already_exists",
      );
      const withoutScheme = { claims: { iss: "accounts.google.com" } };
      (await sendProof("retrieve", google, withoutScheme)).ok();
      expect((await sendCreate(google, withoutScheme)).answer.code()).toBe("factor_already_exists");
      const other = newAccount("GOOGLE", issuer);
      (await sendCreate(other, withoutScheme)).answer.ok();
      (await sendProof("retrieve", other)).ok();
      const apple = newAccount("APPLE", issuer);
      const namesake = { claims: { sub: google.sub } };
      expect((await sendProof("retrieve", apple, namesake)).code()).toBe("backup_untraceable");
      (await sendCreate(apple, namesake)).answer.ok();
      const { metadata } = await recoveredBy(client, google);
      expect(metadata.id).toBe(user.account.backupAccountId);
      for (const sub of [google.sub.toUpperCase(), `${google.sub} `, google.sub.slice(0, -1)])
        expect((await sendProof("retrieve", google, { claims: { sub } })).code()).toBe("backup_untraceable");
    });

    describe("of Apple", () => {
      test("may be signed in with any of the configured clients", async () => {
        const account = newAccount("APPLE", issuer);
        (await sendCreate(account, { aud: SECOND_CLIENT, claims: { aud: SECOND_CLIENT } })).answer.ok();
        for (const aud of [undefined, null, "org.example.app"])
          (await sendProof("retrieve", account, aud === undefined ? {} : { aud })).ok();
        (
          await sendProof("verify-factor", account, { aud: SECOND_CLIENT, claims: { aud: [SECOND_CLIENT] } })
        ).ok();
      });

      test("are refused for any other, and for one that the id_token does not name", async () => {
        const account = newAccount("APPLE", issuer);
        (await sendCreate(account)).answer.ok();
        for (const aud of ["", "org.example", "org.example.APP", "google-client.apps.googleusercontent.com"])
          expect((await sendProof("retrieve", account, { aud, claims: { aud } })).code()).toBe(
            "oidc_token_invalid_aud",
          );
        for (const options of [
          { aud: SECOND_CLIENT },
          { claims: { aud: SECOND_CLIENT } },
          { aud: SECOND_CLIENT, claims: { aud: [SECOND_CLIENT, "org.example.app"] } },
        ])
          expect((await sendProof("retrieve", account, options)).code()).toBe(
            "oidc_token_verification_error",
          );
      });
    });

    describe("are refused, and of several faults the first in this order is reported:", () => {
      type Fault = readonly [name: string, code: string, change: (options: AccountOptions) => AccountOptions];
      const claims = (more: RequestBody) => (options: AccountOptions) => ({
        ...options,
        claims: { ...options.claims, ...more },
      });
      const FAULTS: readonly Fault[] = [
        ["client that is not ours", "oidc_token_invalid_aud", (options) => ({ ...options, aud: "another" })],
        ["no JWT", "oidc_token_parse_error", (options) => ({ ...options, token: "a.b" })],
        ["another issuer", "oidc_token_verification_error", claims({ iss: "https://issuer.example" })],
        ["another nonce", "oidc_token_invalid_nonce", claims({ nonce: "0".repeat(64) })],
        [
          "another signature",
          "signature_verification_error",
          (options) => ({ ...options, signer: createFactorKeypair() }),
        ],
      ];
      const send = async (operation: MainOperation | "create", account: Account, options: AccountOptions) =>
        operation === "create"
          ? (await sendCreate(account, options)).answer
          : sendProof(operation, account, options);

      for (const operation of ["create", ...OPERATIONS] as const)
        test(`by ${operation}, each alone and before those behind it`, async () => {
          const account = newAccount("APPLE", issuer);
          if (operation !== "create") (await sendCreate(account)).answer.ok();
          const reported: string[] = [];
          let options: AccountOptions = {};
          for (const [, code, change] of FAULTS.toReversed()) {
            const alone = await send(operation, account, change({}));
            expect([alone.status, alone.code()]).toEqual([400, code]);
            options = change(options);
            reported.push((await send(operation, account, options)).code());
          }
          expect(reported.reverse()).toEqual(FAULTS.map(([, code]) => code));
          expect((await send(operation, account, {})).status).toBe(200);
        });

      test("the challenge token before everything in the id_token", async () => {
        const account = newAccount("APPLE", issuer);
        const prove = (challenge: ChallengeValue) => account.authorize(challenge, { aud: "another" });
        const body = await proven(service().client, "retrieve", { challengeType: "keypair", prove });
        expect((await call("retrieve", { ...body, challengeToken: "x" })).code()).toBe("jwt_error");
        expect((await call("verify-factor", body)).code()).toBe("invalid_challenge_context");
      });
    });

    describe("an id_token is refused", () => {
      test("when it is no JWT: oidc_token_parse_error", async () => {
        const account = newAccount("GOOGLE", issuer);
        const keypair = createFactorKeypair();
        const [header, claims] = issuer.token("GOOGLE", keypair.publicKey).split(".");
        for (const token of [
          "",
          "a",
          "a.b.c",
          `${header}.${claims}`,
          `${header}.${claims}.a.b`,
          `!.${claims}.AAAA`,
          `${header}.${claims}.!`,
        ]) {
          const answer = await sendProof("retrieve", account, { keypair, token });
          expect([answer.status, answer.code()]).toEqual([400, "oidc_token_parse_error"]);
        }
      });

      const cases: readonly (readonly [name: string, options: () => AccountOptions])[] = [
        ["signed by another key", () => ({ wrongKey: true })],
        ["unsigned", () => ({ algorithm: "none" })],
        ["signed with the public key as a secret", () => ({ algorithm: "HS256" })],
        ["signed by RS512", () => ({ algorithm: "RS512" })],
        ["signed by PS256", () => ({ algorithm: "PS256" })],
        ["of another issuer", () => ({ claims: { iss: "https://accounts.google.com/" } })],
        ["of the other provider", () => ({ claims: { iss: "https://appleid.apple.com" } })],
        ["for another audience", () => ({ claims: { aud: "another" } })],
        [
          "for two audiences",
          () => ({ claims: { aud: ["google-client.apps.googleusercontent.com", "another"] } }),
        ],
        ["for no audience", () => ({ claims: { aud: [] } })],
        ["that has expired", () => ({ claims: { exp: nowS() } })],
        ["that never expires", () => ({ claims: { exp: undefined } })],
        ["issued more than 5 minutes ago", () => ({ claims: { iat: nowS() - 5 * MINUTE_S - 1 } })],
        ["issued more than 30 seconds ahead", () => ({ claims: { iat: nowS() + 31 } })],
        ["without the time of issue", () => ({ claims: { iat: undefined } })],
        ["of nobody", () => ({ claims: { sub: undefined } })],
        ["of an empty subject", () => ({ claims: { sub: "" } })],
      ];
      test("when anything else about it is wrong: oidc_token_verification_error", async () => {
        const account = newAccount("GOOGLE", issuer);
        (await sendCreate(account)).answer.ok();
        for (const [name, options] of cases) {
          const answer = await sendProof("retrieve", account, options());
          expect([name, answer.status, answer.code()]).toEqual([name, 400, "oidc_token_verification_error"]);
        }
        for (const iat of [nowS() - 5 * MINUTE_S, nowS() + 30])
          (await sendProof("retrieve", account, { claims: { iat } })).ok();
      });

      test("without the nonce of the key: oidc_token_invalid_nonce", async () => {
        const account = newAccount("GOOGLE", issuer);
        (await sendCreate(account)).answer.ok();
        const keypair = createFactorKeypair();
        const token = issuer.token("GOOGLE", createFactorKeypair().publicKey, {
          claims: { sub: account.sub },
        });
        for (const options of [
          { claims: { nonce: undefined } },
          { claims: { nonce: "" } },
          { claims: { nonce: 1 } },
          { keypair, token },
        ])
          expect((await sendProof("retrieve", account, options)).code()).toBe("oidc_token_invalid_nonce");
      });
    });

    describe("the nonce", () => {
      test("serves once in a year, whatever for", async () => {
        const { clock } = service();
        const account = newAccount("GOOGLE", issuer);
        const keypair = createFactorKeypair();
        (await sendCreate(account, { keypair })).answer.ok();
        for (const operation of OPERATIONS)
          expect((await sendProof(operation, account, { keypair })).code()).toBe("already_used");
        expect((await sendCreate(newAccount("GOOGLE", issuer), { keypair })).answer.code()).toBe(
          "already_used",
        );
        clock.advance(365 * DAY_MS - 1);
        expect((await sendProof("retrieve", account, { keypair })).code()).toBe("already_used");
        clock.advance(1);
        (await sendProof("retrieve", account, { keypair })).ok();
        expect((await sendProof("retrieve", account, { keypair })).code()).toBe("already_used");
      });

      test("of one provider is not consumed by the same nonce of the other", async () => {
        const keypair = createFactorKeypair();
        for (const provider of PROVIDERS)
          (await sendCreate(newAccount(provider, issuer), { keypair })).answer.ok();
      });

      test("is reported before a wrong signature, which does not consume it", async () => {
        const account = newAccount("APPLE", issuer);
        (await sendCreate(account)).answer.ok();
        const keypair = createFactorKeypair();
        const signer = createFactorKeypair();
        for (const operation of OPERATIONS)
          expect((await sendProof(operation, account, { keypair, signer })).code()).toBe(
            "signature_verification_error",
          );
        (await sendProof("retrieve", account, { keypair })).ok();
        for (const operation of OPERATIONS)
          expect((await sendProof(operation, account, { keypair, signer })).code()).toBe("already_used");
      });

      test("is reported before a missing address, and before what is wrong with the sync factor", async () => {
        const account = newAccount("GOOGLE", issuer);
        const keypair = createFactorKeypair();
        (await sendCreate(account, { keypair })).answer.ok();
        const { sub } = newAccount("GOOGLE", issuer);
        const claims = { sub, email: undefined };
        expect((await sendCreate(account, { keypair, claims })).answer.code()).toBe("already_used");
        const user = newFactorUser(account);
        const payload = await createPayloadOf(service().client, user, (challenge) =>
          account.authorize(challenge, { keypair, claims: { sub } }),
        );
        const initialSyncFactor = { ...payload.initialSyncFactor, signature: "AAAA" };
        const answer = await service().client.create({ ...payload, initialSyncFactor }, user.backup);
        expect(answer.code()).toBe("already_used");
      });

      test("is not consumed by a call that fails", async () => {
        const { client } = service();
        const account = newAccount("GOOGLE", issuer);
        const keypair = createFactorKeypair();
        expect((await sendProof("retrieve", account, { keypair })).code()).toBe("backup_untraceable");
        expect((await sendProof("retrieve", account, { keypair, claims: { iss: "x" } })).code()).toBe(
          "oidc_token_verification_error",
        );
        expect((await sendCreate(account, { keypair, claims: { email: "" } })).answer.code()).toBe(
          "missing_email",
        );
        const { user, answer } = await sendCreate(account, { keypair });
        answer.ok();
        expect((await recoveredBy(client, account)).metadata.id).toBe(user.account.backupAccountId);
      });

      test("is consumed once when many use it at once, each with another challenge", async () => {
        const { client } = service();
        const account = newAccount("GOOGLE", issuer);
        (await sendCreate(account)).answer.ok();
        const keypair = createFactorKeypair();
        const prove = (challenge: ChallengeValue) => account.authorize(challenge, { keypair });
        const proofs = await Promise.all(
          Array.from({ length: 8 }, () => proven(client, "retrieve", { challengeType: "keypair", prove })),
        );
        const answers = await Promise.all(proofs.map((proof) => client.retrieve(proof)));
        const losers = answers.filter(({ status }) => status !== 200).map((answer) => answer.code());
        expect(losers).toEqual(Array.from({ length: 7 }, () => "already_used"));
      });

      test("and challenge are reported as used when a request comes again", async () => {
        const { client } = service();
        const account = newAccount("GOOGLE", issuer);
        const user = newFactorUser(account);
        const payload = await createPayloadOf(client, user);
        (await client.create(payload, user.backup)).ok();
        expect((await client.create(payload, user.backup)).code()).toBe("already_used");
        const proof = await proven(client, "retrieve", account);
        (await client.retrieve(proof)).ok();
        expect((await client.retrieve(proof)).code()).toBe("already_used");
      });
    });

    test("that fail to register leave nothing behind", async () => {
      const { services } = service();
      const before = await blobKeys(services);
      const account = newAccount("GOOGLE", issuer);
      const { user, answer } = await sendCreate(account, { claims: { aud: "another" } });
      expect(answer.code()).toBe("oidc_token_verification_error");
      expect(await services.records.read(user.account.backupAccountId)).toBeNull();
      expect(await indexedAs(service().services, account.ref)).toBeNull();
      expect(await blobKeys(services)).toEqual(before);
    });

    test("are refused with 503 while the provider's keys cannot be fetched, and accepted afterwards", async () => {
      const { clock } = service();
      const account = newAccount("GOOGLE", issuer);
      (await sendCreate(account)).answer.ok();
      clock.advance(60 * 60 * 1000);
      issuer.jwks.mode = "down";
      const answer = await sendProof("retrieve", account);
      issuer.jwks.mode = "up";
      expect([answer.status, answer.code(), answer.headers.get("retry-after")]).toEqual([
        503,
        "service_unavailable",
        "1",
      ]);
      expect((answer.body as { allowRetry: boolean }).allowRetry).toBe(true);
      (await sendProof("retrieve", account)).ok();
    });

    test("are accepted at once with a key that the provider has just published", async () => {
      const { clock } = service();
      const account = newAccount("APPLE", issuer);
      (await sendCreate(account)).answer.ok();
      clock.advance(31_000);
      issuer.jwks.rotate();
      (await sendProof("retrieve", account)).ok();
    });

    test("are refused where a sync factor must sign, or is to be added", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const { challenge, token } = (await client.keypairChallenge("retrieve-metadata")).ok();
      const authorization = user.main.authorize(challenge);
      const byAccount = { authorization, challengeToken: token };
      expect((await client.retrieveMetadata(byAccount)).code()).toBe("invalid_authorization_type");
      expect((await client.deleteBackup(byAccount)).code()).toBe("invalid_authorization_type");
      const addition = { syncFactor: authorization, challengeToken: token, syncFactorToken: "any" };
      expect((await client.addSyncFactor(addition)).code()).toBe("invalid_sync_factor_type");
    });

    test("cannot be removed together with a key that another needs, and take the backup with the last", async () => {
      const { client } = service();
      const user = await created(client, newAccount("GOOGLE", issuer));
      const second = newAccount("APPLE", issuer);
      const { factorId, backupMetadata } = await addFactor(service(), user.main, second);
      const keypair = await addFactor(service(), second, newKeypair(), ICLOUD);
      const first = backupMetadata.factors[0]?.id ?? "";
      const refused = await removeFactor(client, user.sync, first, { encryptionKey: TURNKEY });
      expect([refused.status, refused.code()]).toEqual([400, "factor_orphaned_from_encryption_key"]);
      (await removeFactor(client, user.sync, first)).ok();
      expect((await sendProof("retrieve", user.main)).code()).toBe("backup_untraceable");
      (await removeFactor(client, user.sync, factorId, { encryptionKey: TURNKEY })).ok();
      const last = await removeFactor(client, user.sync, keypair.factorId);
      expect(last.ok()).toEqual({ backupDeleted: true, backupMetadata: null });
      (await sendCreate(user.main)).answer.ok();
    });
  });

for (const driver of DRIVERS)
  describe(`accounts where no provider is configured (${driver.name})`, () => {
    const { service, issuer } = factorService(driver, {
      env: { GOOGLE_CLIENT_ID: "", APPLE_CLIENT_IDS: "" },
    });

    test("are refused, each provider's with the code of its client id", async () => {
      const { client } = service();
      for (const [provider, code] of [
        ["GOOGLE", "oidc_token_verification_error"],
        ["APPLE", "oidc_token_invalid_aud"],
      ] as const) {
        const user = newFactorUser(newAccount(provider, issuer));
        const answer = await client.create(await createPayloadOf(client, user), user.backup);
        expect([answer.status, answer.code()]).toEqual([400, code]);
      }
    });
  });
