import { describe, expect, test } from "bun:test";
import { encodeBase64 } from "../../src/crypto/encoding.ts";
import { DRIVERS } from "../drivers.ts";
import { long } from "../routes/requests.ts";
import {
  addFactor,
  additionChallenge,
  additionRequest,
  existingHalf,
  newHalf,
} from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import {
  createChallenge,
  created,
  createPayloadOf,
  factorService,
  ICLOUD,
  type MainOperation,
  newAccount,
  newFactorUser,
  newKeypair,
  newPasskey,
  type Passkey,
  PRF,
  proven,
  recoveredBy,
  removeFactor,
} from "../support/factors.ts";
import type { BinaryEncoding, RegistrationTweaks, Tweaks } from "../support/software-authenticator.ts";
import { interleaving } from "../support/store-wrappers.ts";
import { blobKeys, indexedAs, storedRecord } from "../support/stored.ts";
import { solved } from "../support/users.ts";
import { MAIN_OPERATIONS as OPERATIONS, sendPasskeyProof, sendProven } from "./main-proofs.ts";

const ENCODINGS: readonly BinaryEncoding[] = [
  "base64url",
  "padded-base64url",
  "base64",
  "unpadded-base64",
  "bytes",
];
const SECRET = "cHJmIHNlY3JldCBvZiB0aGUgdXNlciwgMzIgYnl0ZXM";
const MINUTE_MS = 60_000;

for (const driver of DRIVERS)
  describe(`passkeys (${driver.name})`, () => {
    const { service, issuer } = factorService(driver, {
      env: { LOG_LEVEL: "trace" },
      wrapStores: interleaving,
    });

    const call = (operation: MainOperation, body: RequestBody) =>
      sendProven(service().client, operation, body);
    const sendProof = (operation: MainOperation, passkey: Passkey, tweaks: Tweaks = {}) =>
      sendPasskeyProof(service().client, operation, passkey, tweaks);
    /** A create whose registration is as given. */
    const sendCreate = async (
      passkey: Passkey,
      change: (credential: RequestBody) => unknown,
      tweaks: RegistrationTweaks = {},
    ) => {
      const { client } = service();
      const user = newFactorUser(passkey);
      const payload = await createPayloadOf(client, user, (challenge) => {
        const authorization = passkey.registerWith(challenge, tweaks);
        return { ...authorization, credential: change(authorization.credential as RequestBody) };
      });
      return { user, payload, answer: await client.create(payload, user.backup) };
    };
    const whole = (credential: RequestBody) => credential;

    test("make a backup, verify and recover it, and are returned exactly as they were registered", async () => {
      const { client } = service();
      const odd = {
        zero: 0,
        none: null,
        list: [[], {}, ""],
        "": "ä\u0000\ud83d\ude00",
        2: "b",
        1: "a",
        half: 0.5,
      };
      for (const passkey of [newPasskey(), newPasskey({ algorithm: "RS256" })]) {
        const { user, payload, answer } = await sendCreate(passkey, (credential) => ({
          ...credential,
          clientExtensionResults: { credProps: { rk: true }, uvm: [[2, 4, 2]], prf: { enabled: true } },
          odd,
        }));
        const { backupMetadata } = answer.ok();
        const [factor] = backupMetadata.factors;
        expect(factor?.kind).toEqual({
          kind: "PASSKEY",
          credentialId: passkey.authenticator.credentialId.toString("base64url"),
          registration: payload.authorization.credential,
          label: "My phone",
        });
        const { credential } = payload.authorization;
        const registration = factor?.kind.kind === "PASSKEY" ? factor.kind.registration : null;
        expect(JSON.stringify(registration)).toBe(JSON.stringify(credential));
        expect(backupMetadata.keys).toEqual([PRF] as never);

        const { backup, metadata } = await recoveredBy(client, passkey);
        expect(backup).toBe(encodeBase64(user.backup));
        expect(metadata).toEqual(backupMetadata);
        const bySync = await client.retrieveMetadata(await solved(client, "retrieve-metadata", user.sync));
        expect(bySync.ok()).toEqual(backupMetadata);
        const backupId = user.account.backupAccountId;
        expect((await sendProof("verify-factor", passkey)).ok()).toEqual({ backupId });
        expect((await client.backupStatus({ backupId: backupId })).ok().factors).toEqual([
          { kind: "PASSKEY", accountKind: null },
        ]);
      }
    });

    test("have the label that they are given, unchanged, or an empty one", async () => {
      const { client } = service();
      for (const [label, expected] of [
        [undefined, ""],
        [null, ""],
        ["", ""],
        [" ä\n😀", " ä\n😀"],
        [long(256), long(256)],
      ] as const) {
        const user = newFactorUser(newPasskey());
        const payload = await createPayloadOf(client, user);
        const authorization = { ...payload.authorization, label };
        const { factors } = (await client.create({ ...payload, authorization }, user.backup)).ok()
          .backupMetadata;
        expect(factors[0]?.kind).toMatchObject({ label: expected });
      }
    });

    test("never export the key that is kept of them", async () => {
      const { client, services } = service();
      const user = await created(client, newPasskey({ counter: 3 }));
      const stored = JSON.stringify((await storedRecord(services, user.account.backupAccountId)).metadata);
      const { metadata } = await recoveredBy(client, user.main);
      for (const member of ["credential", "publicKey", "counter", "aaguid", "backedUp", "deviceType"]) {
        expect(stored).toContain(`"${member}":`);
        expect(JSON.stringify(metadata.factors)).not.toContain(`"${member}":`);
      }
    });

    for (const encoding of ENCODINGS)
      test(`may write binary members as ${encoding}, and without extension results`, async () => {
        const tweaks = { encoding, clientExtensionResults: undefined };
        const passkey = newPasskey();
        (await sendCreate(passkey, whole, tweaks)).answer.ok();
        const { metadata } = (await sendProof("retrieve", passkey, tweaks)).ok() as {
          metadata: { factors: unknown[] };
        };
        const credentialId = passkey.authenticator.credentialId.toString("base64url");
        expect(metadata.factors[0]).toMatchObject({ kind: { credentialId } });
        expect(await indexedAs(service().services, passkey.ref)).not.toBeNull();
        const { backupMetadata } = await addFactor(service(), passkey, newKeypair(), ICLOUD);
        expect(backupMetadata.factors).toHaveLength(2);
      });

    describe("a registration is refused", () => {
      type Case = readonly [
        name: string,
        code: string,
        tweaks: RegistrationTweaks,
        change?: (credential: RequestBody) => unknown,
      ];
      const inside = (change: RequestBody) => (credential: RequestBody) => ({
        ...credential,
        response: { ...(credential.response as RequestBody), ...change },
      });
      const cases: readonly Case[] = [
        ["for another challenge", "webauthn_error", { challenge: "AAAA" }],
        ["from another origin", "webauthn_error", { origin: "https://evil.example" }],
        ["from a port that is not ours", "webauthn_error", { origin: "http://localhost:8001" }],
        ["for another relying party", "webauthn_error", { rpId: "evil.example" }],
        ["without the user verified", "webauthn_error", { flags: { uv: false } }],
        ["without the user present", "webauthn_error", { flags: { up: false } }],
        ["that is an assertion", "webauthn_error", { type: "webauthn.get" }],
        ["in a frame of another origin", "webauthn_error", { clientData: { crossOrigin: true } }],
        ["with self attestation by another key", "webauthn_error", { attestation: "self", wrongKey: true }],
        ["with a key that is none", "webauthn_error", { coseKey: new Map([[1, 2]]) }],
        ["that is an empty object", "webauthn_invalid_payload", {}, () => ({})],
        [
          "of another type",
          "webauthn_invalid_payload",
          {},
          (credential) => ({ ...credential, type: "password" }),
        ],
        ["without rawId", "webauthn_invalid_payload", {}, ({ rawId: _, ...rest }) => rest],
        [
          "whose id and rawId differ",
          "webauthn_invalid_payload",
          {},
          (credential) => ({ ...credential, id: "AAAA" }),
        ],
        [
          "whose response is a list",
          "webauthn_invalid_payload",
          {},
          (credential) => ({ ...credential, response: [] }),
        ],
        ["whose client data is no base64", "webauthn_invalid_payload", {}, inside({ clientDataJSON: "!" })],
        [
          "whose attestation object is missing",
          "webauthn_invalid_payload",
          {},
          inside({ attestationObject: null }),
        ],
        ["whose attestation object is no CBOR", "webauthn_error", {}, inside({ attestationObject: "AAAA" })],
        ["whose client data is no JSON", "webauthn_error", {}, inside({ clientDataJSON: "AAAA" })],
        ["with a byte of 256", "webauthn_invalid_payload", {}, inside({ clientDataJSON: [256] })],
      ];
      for (const [name, code, tweaks, change = whole] of cases)
        test(`${name}: ${code}, and nothing remains`, async () => {
          const { services } = service();
          const before = await blobKeys(services);
          const passkey = newPasskey();
          const { user, answer } = await sendCreate(passkey, change, tweaks);
          expect([answer.status, answer.code()]).toEqual([400, code]);
          expect(await services.records.read(user.account.backupAccountId)).toBeNull();
          expect(await indexedAs(service().services, passkey.ref)).toBeNull();
          expect(await blobKeys(services)).toEqual(before);
        });

      test("not for an app origin, self attestation, or certificates that nobody asked for", async () => {
        const accepted: readonly RegistrationTweaks[] = [
          { origin: "android:apk-key-hash:dGVzdA" },
          { attestation: "self" },
          { attestation: "packed" },
          { attestation: "tpm" },
        ];
        for (const tweaks of accepted) (await sendCreate(newPasskey(), whole, tweaks)).answer.ok();
      });

      test("under a challenge for keypairs, and a keypair under one for passkeys", async () => {
        const { client } = service();
        const user = newFactorUser(newPasskey());
        const payload = await createPayloadOf(client, user);
        const keypair = (await createChallenge(client, "keypair")).token;
        const passkey = (await createChallenge(client, "passkey")).token;
        const asPasskey = await client.create({ ...payload, challengeToken: keypair }, user.backup);
        expect(asPasskey.code()).toBe("unexpected_challenge_type");
        const { authorization, challengeToken: _ } = await solved(client, "create", user.sync);
        const asKeypair = await client.create(
          { ...payload, authorization, challengeToken: passkey },
          user.backup,
        );
        expect(asKeypair.code()).toBe("unexpected_challenge_type");
      });

      test("of a passkey that is on a backup already", async () => {
        const { client } = service();
        const { main } = await created(client, newPasskey());
        const { answer } = await sendCreate(main, whole);
        expect([answer.status, answer.code()]).toEqual([400, "factor_already_exists"]);
      });
    });

    for (const operation of OPERATIONS)
      describe(`an assertion for ${operation} is refused`, () => {
        const cases: readonly (readonly [name: string, tweaks: Tweaks])[] = [
          ["for another challenge", { challenge: "AAAA" }],
          ["from another origin", { origin: "https://evil.example" }],
          ["for another relying party", { rpId: "evil.example" }],
          ["without the user verified", { flags: { uv: false } }],
          ["without the user present", { flags: { up: false } }],
          ["that is a registration", { type: "webauthn.create" }],
          ["in a frame of another origin", { clientData: { topOrigin: "https://evil.example" } }],
          ["by another key", { wrongKey: true }],
        ];
        test("whenever the ceremony fails, and the passkey is accepted afterwards", async () => {
          const { client } = service();
          for (const algorithm of ["ES256", "RS256"] as const) {
            const { main } = await created(client, newPasskey({ algorithm }));
            for (const [, tweaks] of cases) {
              const answer = await sendProof(operation, main, tweaks);
              expect([answer.status, answer.code()]).toEqual([400, "webauthn_error"]);
            }
            (await sendProof(operation, main)).ok();
          }
        });

        test("of a passkey that is on no backup", async () => {
          expect((await sendProof(operation, newPasskey())).code()).toBe("backup_untraceable");
        });

        test("of a passkey that was removed, and a replay of one is still reported as such", async () => {
          const { client } = service();
          const user = await created(client, newPasskey({ counter: 1, deviceBound: true }));
          await addFactor(service(), user.main, newKeypair(), ICLOUD);
          const proof = await proven(client, operation, user.main);
          const { metadata } = await recoveredBy(client, user.main);
          expect((await call(operation, proof)).code()).toBe("webauthn_error"); // the counter went on meanwhile
          const fresh = await proven(client, operation, user.main);
          (await call(operation, fresh)).ok();
          (await removeFactor(client, user.sync, metadata.factors[0]?.id ?? "")).ok();
          expect((await call(operation, fresh)).code()).toBe("already_used");
          expect((await sendProof(operation, user.main)).code()).toBe("backup_untraceable");
        });

        test("that is no WebAuthn object", async () => {
          const { client } = service();
          const { main } = await created(client, newPasskey());
          const proof = await proven(client, operation, main);
          for (const credential of [{}, [], { type: "public-key" }]) {
            const answer = await call(operation, {
              ...proof,
              authorization: { kind: "PASSKEY", credential },
            });
            expect(answer.code()).toBe("webauthn_invalid_payload");
          }
          (await call(operation, proof)).ok();
          expect((await call(operation, proof)).code()).toBe("already_used");
        });
      });

    describe("PRF results", () => {
      const secrets: readonly (readonly [name: string, clientExtensionResults: RequestBody])[] = [
        ["of one salt", { prf: { results: { first: SECRET } } }],
        [
          "of two salts with other members",
          { prf: { enabled: true, results: { first: [...Buffer.from(SECRET)], second: SECRET } } },
        ],
        ["of one salt, with null for the other", { prf: { results: { first: null, second: SECRET } } }],
        ["as hmacGetSecret", { hmacGetSecret: { output1: SECRET, output2: null } }],
        ["as hmac-secret", { "hmac-secret": SECRET }],
      ];
      const expectRefused = (answer: { status: number; code(): string; body: unknown }) => {
        expect([answer.status, answer.code()]).toEqual([400, "webauthn_prf_results_not_allowed"]);
        expect(JSON.stringify(answer.body)).not.toContain(SECRET);
      };
      const expectNoTrace = async (backupId: string) => {
        const { services, logged } = service();
        await services.background.settled();
        expect(logged.join("")).not.toContain(SECRET);
        expect(logged.join("")).not.toContain([...Buffer.from(SECRET)].slice(0, 8).join(","));
        expect(JSON.stringify(await services.records.read(backupId))).not.toContain(SECRET);
      };

      test.each(secrets)(
        "%s are refused at create, and nothing is kept",
        async (_, clientExtensionResults) => {
          const { services } = service();
          const before = await blobKeys(services);
          const passkey = newPasskey();
          const { user, answer } = await sendCreate(passkey, whole, { clientExtensionResults });
          expectRefused(answer);
          expect(await services.records.read(user.account.backupAccountId)).toBeNull();
          expect(await indexedAs(service().services, passkey.ref)).toBeNull();
          expect(await blobKeys(services)).toEqual(before);
          await expectNoTrace(user.account.backupAccountId);
        },
      );

      test.each(secrets)(
        "%s are refused at every use, which then works without them",
        async (_, clientExtensionResults) => {
          const { client, clock } = service();
          const { main, account } = await created(client, newPasskey());
          for (const operation of OPERATIONS)
            expectRefused(await sendProof(operation, main, { clientExtensionResults }));

          for (const existingKind of ["PASSKEY", "PASSKEY_ASSERTION"] as const) {
            const request = await additionRequest(client, {
              existing: main,
              existingKind,
              added: newKeypair(),
              nowMs: clock.nowMs(),
            });
            const { existingFactorAuthorization: authorization } = request;
            const credential = { ...(authorization.credential as RequestBody), clientExtensionResults };
            expectRefused(
              await client.addFactor({
                ...request,
                existingFactorAuthorization: { ...authorization, credential },
              }),
            );
          }
          const added = newPasskey();
          const given = {
            existing: main,
            existingKind: "PASSKEY_ASSERTION",
            added,
            nowMs: clock.nowMs(),
          } as const;
          const { ceremony, challenges } = await additionChallenge(client, given);
          const registration = added.registerWith(challenges.newFactorChallenge, { clientExtensionResults });
          const half = { ...newHalf(given, ceremony, challenges), newFactorAuthorization: registration };
          expectRefused(await client.addFactor({ ...existingHalf(given, challenges), ...half }));
          expect(await indexedAs(service().services, added.ref)).toBeNull();
          expect((await recoveredBy(client, main)).metadata.factors).toHaveLength(1);
          await expectNoTrace(account.backupAccountId);
        },
      );

      test.each([
        { prf: { enabled: true } },
        { prf: { enabled: true, results: null } },
        { prf: { results: { first: null, second: null } }, hmacGetSecret: null },
        { prf: { results: {} }, hmacCreateSecret: true },
        null,
      ])("that say nothing are fine, and come back as written: %j", async (clientExtensionResults) => {
        const { client } = service();
        const passkey = newPasskey();
        const { payload, answer } = await sendCreate(passkey, whole, { clientExtensionResults });
        for (const operation of OPERATIONS)
          (await sendProof(operation, passkey, { clientExtensionResults })).ok();
        const { metadata } = await recoveredBy(client, passkey);
        const kind = metadata.factors[0]?.kind;
        const kept = kind?.kind === "PASSKEY" ? kind.registration : null;
        expect(JSON.stringify(kept)).toBe(JSON.stringify(payload.authorization.credential));
        answer.ok();
      });
    });

    test("are refused where a sync factor must sign, or is to be added", async () => {
      const { client } = service();
      const user = await created(client, newPasskey());
      const { authorization, challengeToken } = await proven(client, "retrieve", user.main);
      const factorId = "any";
      const answers = [
        await client.retrieveMetadata({ authorization, challengeToken }),
        await client.deleteBackup({ authorization, challengeToken }),
        await client.deleteFactor({ authorization, challengeToken, factorId, scope: "SYNC" }),
        await client.sync(
          {
            authorization,
            challengeToken,
            currentManifestHash: user.manifestHash,
            newManifestHash: user.manifestHash,
          },
          user.backup,
        ),
      ];
      expect(answers.map((answer) => answer.code())).toEqual(answers.map(() => "invalid_authorization_type"));
      const payload = await createPayloadOf(client, newFactorUser(newPasskey()));
      const create = await client.create(
        { ...payload, initialSyncFactor: payload.authorization },
        user.backup,
      );
      expect(create.code()).toBe("invalid_sync_factor_type");
      const addition = { syncFactor: authorization, challengeToken, syncFactorToken: "any" };
      expect((await client.addSyncFactor(addition)).code()).toBe("invalid_sync_factor_type");
    });

    test("are good for 15 minutes after the challenge", async () => {
      const { client, clock } = service();
      const { main } = await created(client, newPasskey());
      const [late, early] = [
        await proven(client, "retrieve", main),
        await proven(client, "verify-factor", main),
      ];
      clock.advance(15 * MINUTE_MS - 1000);
      (await client.verifyFactor(early)).ok();
      clock.advance(1000);
      expect((await client.retrieve(late)).code()).toBe("jwt_error");
    });

    test("recover a backup that also has an account and a keypair of the same user", async () => {
      const { client } = service();
      const user = await created(client, newPasskey({ counter: 1 }));
      const account = newAccount("APPLE", issuer);
      await addFactor(service(), user.main, account);
      const keypair = newKeypair();
      await addFactor(service(), account, keypair);
      const backups = [];
      for (const factor of [user.main, account, keypair])
        backups.push((await recoveredBy(client, factor)).backup);
      expect(new Set(backups)).toEqual(new Set([encodeBase64(user.backup)]));
    });
  });
