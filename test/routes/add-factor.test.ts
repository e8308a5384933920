import { describe, expect, test } from "bun:test";
import type { ApiClient, RequestBody } from "../../src/cli/api-client.ts";
import { createFactorKeypair } from "../../src/cli/device-keys.ts";
import { encodeBase64 } from "../../src/crypto/encoding.ts";
import { DRIVERS } from "../drivers.ts";
import {
  type Addition,
  additionChallenge,
  additionRequest,
  type Ceremony,
  type Challenges,
  created,
  EXISTING_KINDS,
  type ExistingKind,
  existingHalf,
  existingKindOf,
  type FactorUser,
  factorService,
  ICLOUD,
  indexedAs,
  type MainFactor,
  newAccount,
  newHalf,
  newKeypair,
  newPasskey,
  PRF,
  passkeyOf,
  proven,
  recoveredBy,
  removeFactor,
  stamped,
  TURNKEY,
  TURNKEY_PROVIDER_ID,
} from "../support/factors.ts";
import { storedRecord } from "../support/stored.ts";
import { turnkeyActivity } from "../support/turnkey-activity.ts";
import { jsonRequestContract, long } from "./requests.ts";

const MINUTE_MS = 60_000;
const NEW_KINDS = ["PASSKEY", "OIDC_ACCOUNT", "EC_KEYPAIR"] as const;
type NewKind = (typeof NEW_KINDS)[number];

for (const driver of DRIVERS)
  describe(`add-factor (${driver.name})`, () => {
    const { service, issuer } = factorService(driver, { env: { MAX_MAIN_FACTORS: "3" } });

    const factorOf = (kind: ExistingKind | NewKind, provider: "GOOGLE" | "APPLE" = "GOOGLE"): MainFactor => {
      if (kind === "OIDC_ACCOUNT") return newAccount(provider, issuer);
      return kind === "EC_KEYPAIR" ? newKeypair() : newPasskey();
    };
    const addition = (existing: MainFactor, added: MainFactor, existingKind?: ExistingKind): Addition => ({
      existing,
      added,
      existingKind: existingKind ?? existingKindOf(existing),
      nowMs: service().clock.nowMs(),
    });
    const send = async (given: Addition, more: RequestBody = {}) => {
      const { client } = service();
      return client.addFactor({ ...(await additionRequest(client, given)), ...more });
    };
    /** Who is on the backup and in the index did not change. */
    const expectNothingAdded = async (user: FactorUser, added: MainFactor) => {
      const { factors, keys } = (await recoveredBy(service().client, user.main)).metadata;
      expect([factors.length, keys.length]).toEqual([1, 1]);
      expect(await indexedAs(service(), added.ref)).toBeNull();
    };

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
            expect(await indexedAs(service(), added.ref)).toBe(user.account.backupAccountId);
            expect((await client.status(user.account.backupAccountId)).ok().factors[1]?.kind).toBe(newKind);

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

      test("a keypair its own sync factor's key, which is in the other scope", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const added = newKeypair(user.sync);
        (await send(addition(user.main, added))).ok();
        expect((await recoveredBy(client, added)).metadata.factors).toHaveLength(2);
      });
    });

    describe("the challenges", () => {
      const challenge = (client: ApiClient, body: RequestBody) => client.addFactorChallenge(body);
      const keypair = { kind: "EC_KEYPAIR", publicKey: createFactorKeypair().publicKey };

      test("are base64 of 32 bytes each, for whoever signs bytes", async () => {
        const { client } = service();
        const answers = [
          { newFactor: { kind: "OIDC_ACCOUNT", oidcToken: "any text" } },
          { newFactor: { kind: "OIDC_ACCOUNT", oidcToken: "any text" }, existingFactorKind: null },
          { newFactor: { kind: "OIDC_ACCOUNT", oidcToken: "any text" }, existingFactorKind: "PASSKEY" },
          { newFactor: keypair, existingFactorKind: "OIDC_ACCOUNT" },
          { newFactor: keypair, existingFactorKind: "EC_KEYPAIR" },
        ];
        const seen = new Set<unknown>();
        for (const body of answers) {
          const { existingFactorChallenge, newFactorChallenge, ...tokens } = (
            await challenge(client, body)
          ).ok();
          for (const value of [existingFactorChallenge, newFactorChallenge]) {
            expect(Buffer.from(String(value), "base64")).toHaveLength(32);
            seen.add(value);
          }
          expect(Object.keys(tokens)).toEqual(["existingFactorToken", "newFactorToken"]);
        }
        expect(seen.size).toBe(answers.length * 2);
      });

      test("ask an existing passkey as a discoverable authentication does", async () => {
        const body = { newFactor: keypair, existingFactorKind: "PASSKEY_ASSERTION" };
        const { existingFactorChallenge } = (await challenge(service().client, body)).ok();
        expect(existingFactorChallenge).toEqual({
          publicKey: {
            challenge: expect.stringMatching(/^[\w-]{43}$/),
            timeout: 300_000,
            rpId: "localhost",
            allowCredentials: [],
            userVerification: "required",
            extensions: { uvm: true },
          },
          mediation: "conditional",
        });
      });

      for (const platform of ["IOS", "ANDROID"])
        test(`ask for a discoverable passkey on ${platform}`, async () => {
          const { client } = service();
          const newFactor = { kind: "PASSKEY_REGISTRATION", platform, name: "ada", displayName: "Ada" };
          const { newFactorChallenge } = (await challenge(client, { newFactor })).ok();
          expect(newFactorChallenge).toEqual({
            publicKey: {
              rp: { name: "Backup Service", id: "localhost" },
              user: { id: expect.stringMatching(/^[\w-]{22}$/), name: "ada", displayName: "Ada" },
              challenge: expect.stringMatching(/^[\w-]{43}$/),
              pubKeyCredParams: [
                { type: "public-key", alg: -7 },
                { type: "public-key", alg: -257 },
              ],
              timeout: 300_000,
              attestation: "none",
              authenticatorSelection: {
                authenticatorAttachment: "platform",
                residentKey: "required",
                requireResidentKey: true,
                userVerification: "required",
              },
              hints: ["client-device"],
              extensions: { uvm: true, credProps: true },
            },
          });
        });

      test("name a passkey even when the client does not, but not with an empty name", async () => {
        const { client } = service();
        const names = async (more: RequestBody) => {
          const newFactor = { kind: "PASSKEY_REGISTRATION", platform: "IOS", ...more };
          const answer = await challenge(client, { newFactor });
          if (answer.status !== 200) return answer.code();
          const { newFactorChallenge: options } = answer.ok();
          return typeof options === "string"
            ? options
            : [options.publicKey.user.name, options.publicKey.user.displayName];
        };
        expect(await names({})).toEqual(["Backup Service", "Backup Service"]);
        expect(await names({ name: null, displayName: null })).toEqual(["Backup Service", "Backup Service"]);
        expect(await names({ name: "ada" })).toEqual(["ada", "ada"]);
        expect(await names({ name: "" })).toBe("webauthn_error");
        expect(await names({ name: "ada", displayName: "" })).toBe("webauthn_error");
      });

      test("fit the documented shape of the request", async () => {
        const { client } = service();
        const bodies = [
          {},
          { newFactor: null },
          { newFactor: { kind: "PASSKEY", platform: "IOS" } },
          { newFactor: { kind: "OIDC_ACCOUNT" } },
          { newFactor: { kind: "OIDC_ACCOUNT", oidcToken: long(8193) } },
          { newFactor: { kind: "PASSKEY_REGISTRATION" } },
          { newFactor: { kind: "PASSKEY_REGISTRATION", platform: "WINDOWS" } },
          { newFactor: { kind: "PASSKEY_REGISTRATION", platform: "IOS", name: long(257) } },
          { newFactor: { kind: "EC_KEYPAIR" } },
          { newFactor: keypair, existingFactorKind: "PASSWORD" },
          { newFactor: keypair, existingFactorKind: "PASSKEY_REGISTRATION" },
        ];
        for (const body of bodies) {
          const answer = await challenge(client, body);
          expect([answer.status, answer.code()]).toEqual([422, "invalid_payload"]);
        }
      });
    });

    jsonRequestContract(
      service,
      "/v1/add-factor",
      async (client) =>
        additionRequest(client, addition((await created(client, newKeypair())).main, newKeypair())),
      [
        [
          "without existingFactorAuthorization",
          ({ existingFactorAuthorization: _, ...rest }) => rest,
          "/existingFactorAuthorization",
        ],
        [
          "without existingFactorChallengeToken",
          ({ existingFactorChallengeToken: _, ...rest }) => rest,
          "/existingFactorChallengeToken",
        ],
        [
          "without newFactorAuthorization",
          ({ newFactorAuthorization: _, ...rest }) => rest,
          "/newFactorAuthorization",
        ],
        [
          "without newFactorChallengeToken",
          ({ newFactorChallengeToken: _, ...rest }) => rest,
          "/newFactorChallengeToken",
        ],
        [
          "with an activity that is an object",
          (body) => ({ ...body, existingFactorTurnkeyActivity: {} }),
          "/existingFactorTurnkeyActivity",
        ],
        [
          "with an activity over 16 KiB",
          (body) => ({ ...body, existingFactorTurnkeyActivity: long(16_385) }),
          "/existingFactorTurnkeyActivity",
        ],
        [
          "with a key of an unknown kind",
          (body) => ({ ...body, encryptedBackupKey: { kind: "X", encryptedKey: "x" } }),
          "/encryptedBackupKey",
        ],
        [
          "with turnkeyProviderId a number",
          (body) => ({ ...body, turnkeyProviderId: 1 }),
          "/turnkeyProviderId",
        ],
      ],
    );

    describe("by a Turnkey stamp", () => {
      interface Stamp {
        readonly user: FactorUser;
        readonly given: Addition;
        readonly challenges: Challenges;
        readonly ceremony: Ceremony;
        /** The activity that the passkey should stamp. */
        activity(overrides?: RequestBody): string;
      }
      const prepared = async (main: MainFactor = newPasskey(), keys = [PRF, TURNKEY]): Promise<Stamp> => {
        const { client, clock, services } = service();
        const user = await created(client, main);
        const backupId = user.account.backupAccountId;
        const stored = await storedRecord(services, backupId);
        const metadata = { ...stored.metadata, keys };
        await services.records.commit({ backupId, expect: stored, next: { ...stored, metadata } });
        const given = addition(main, newKeypair(), "PASSKEY");
        const { challenges, ceremony } = await additionChallenge(client, given);
        const challenge = Buffer.from(String(challenges.existingFactorChallenge), "base64");
        const organizationId = TURNKEY.turnkeyAccountId;
        const activity = (overrides: RequestBody = {}) =>
          turnkeyActivity({ challenge, organizationId, nowMs: clock.nowMs() }, overrides);
        return { user, given, challenges, ceremony, activity };
      };
      const sendStamp = (stamp: Stamp, authorization: unknown, activity: unknown, more: RequestBody = {}) =>
        service().client.addFactor({
          existingFactorAuthorization: authorization,
          existingFactorChallengeToken: stamp.challenges.existingFactorToken,
          existingFactorTurnkeyActivity: activity,
          ...newHalf(stamp.given, stamp.ceremony, stamp.challenges),
          ...more,
        });

      test("is fine with spaces, other members and any order in the activity, which counts to the letter", async () => {
        const stamp = await prepared();
        const activity = ` ${JSON.stringify({ more: [1.0, "ä"], ...JSON.parse(stamp.activity()) }, null, 2)}\n`;
        (await sendStamp(stamp, stamped(stamp.user.main, activity), activity)).ok();
      });

      test("is bound to the organisation of the stored Turnkey key, if there is one", async () => {
        const other = await prepared();
        const activity = other.activity({ organizationId: "another" });
        expect((await sendStamp(other, stamped(other.user.main, activity), activity)).code()).toBe(
          "turnkey_activity_error",
        );
        const free = await prepared(newPasskey(), [PRF] as never);
        const anywhere = free.activity({ organizationId: "another" });
        (await sendStamp(free, stamped(free.user.main, anywhere), anywhere)).ok();
      });

      test("is good for five minutes", async () => {
        const { clock } = service();
        const stamp = await prepared();
        const activity = stamp.activity();
        const authorization = stamped(stamp.user.main, activity);
        clock.advance(5 * MINUTE_MS + 1);
        expect((await sendStamp(stamp, authorization, activity)).code()).toBe("turnkey_activity_error");
        clock.advance(-1);
        (await sendStamp(stamp, authorization, activity)).ok();
      });

      test("keeps the counter of the passkey, and takes no lower one", async () => {
        const { services } = service();
        const stamp = await prepared(newPasskey({ counter: 5 }));
        const activity = stamp.activity();
        const low = stamped(stamp.user.main, activity, { counter: 5 });
        expect((await sendStamp(stamp, low, activity)).code()).toBe("turnkey_activity_error");
        (await sendStamp(stamp, stamped(stamp.user.main, activity, { counter: 9 }), activity)).ok();
        const stored = await storedRecord(services, stamp.user.account.backupAccountId);
        expect(JSON.stringify(stored.metadata)).toContain('"counter":9');
        const again = stamped(stamp.user.main, activity, { counter: 9 });
        expect((await sendStamp(stamp, again, activity)).code()).toBe("already_used");
      });

      test("needs an ES256 passkey", async () => {
        const stamp = await prepared(newPasskey({ algorithm: "RS256" }));
        const activity = stamp.activity();
        const answer = await sendStamp(stamp, stamped(stamp.user.main, activity), activity);
        expect(answer.code()).toBe("turnkey_activity_error");
      });

      describe("is refused, and of several faults the first in this order is told:", () => {
        type Fault = readonly [
          name: string,
          code: string,
          spoil: (attempt: Attempt) => Attempt | Promise<Attempt>,
        ];
        interface Attempt {
          readonly stamp: Stamp;
          readonly overrides: RequestBody;
          /** What is sent for the activity that was stamped. */
          readonly sent: (activity: string) => unknown;
          readonly tweaks: Parameters<typeof stamped>[2];
          readonly change: (credential: RequestBody) => unknown;
          readonly by: MainFactor;
          readonly token: string;
        }
        const error = "turnkey_activity_error";
        const tweak = (attempt: Attempt, tweaks: Attempt["tweaks"]) => ({
          ...attempt,
          tweaks: { ...attempt.tweaks, ...tweaks },
        });
        const override = (attempt: Attempt, overrides: RequestBody) => ({
          ...attempt,
          overrides: { ...attempt.overrides, ...overrides },
        });
        const FAULTS: readonly Fault[] = [
          ["no activity", "missing_turnkey_activity", (attempt) => ({ ...attempt, sent: () => null })],
          [
            "PRF results",
            "webauthn_prf_results_not_allowed",
            (attempt) => ({
              ...attempt,
              change: (credential) => ({ ...credential, clientExtensionResults: { prf: { results: {} } } }),
            }),
          ],
          [
            "a credential that is none",
            "webauthn_invalid_payload",
            (attempt) => ({ ...attempt, change: () => ({}) }),
          ],
          [
            "a passkey that is on no backup",
            "backup_untraceable",
            (attempt) => ({ ...attempt, by: newPasskey() }),
          ],
          [
            "a stamp on another activity",
            error,
            (attempt) => ({ ...attempt, sent: (activity) => `${activity} ` }),
          ],
          [
            "a registration instead of an assertion",
            error,
            (attempt) => tweak(attempt, { type: "webauthn.create" }),
          ],
          ["another origin", error, (attempt) => tweak(attempt, { origin: "https://evil.example" })],
          ["another relying party", error, (attempt) => tweak(attempt, { rpId: "evil.example" })],
          ["nobody present", error, (attempt) => tweak(attempt, { flags: { up: false } })],
          ["another key", error, (attempt) => tweak(attempt, { wrongKey: true })],
          ["another organisation", error, (attempt) => override(attempt, { organizationId: "another" })],
          [
            "another type of activity",
            error,
            (attempt) => override(attempt, { type: "ACTIVITY_TYPE_CREATE_API_KEYS" }),
          ],
          ["no timestamp", error, (attempt) => override(attempt, { timestampMs: undefined })],
          ["a timestamp that is a number", error, (attempt) => override(attempt, { timestampMs: 1 })],
          [
            "an old activity",
            error,
            (attempt) =>
              override(attempt, { timestampMs: String(service().clock.nowMs() - 5 * MINUTE_MS - 1) }),
          ],
          [
            "no challenge in the activity",
            "invalid_turnkey_activity",
            (attempt) => override(attempt, { metadata: {} }),
          ],
          [
            "another challenge in the activity",
            "invalid_challenge",
            (attempt) => override(attempt, { metadata: { challenge: encodeBase64(new Uint8Array(32)) } }),
          ],
          [
            "a token of another operation",
            "invalid_challenge_context",
            async (attempt) => {
              const challenge = Buffer.from(
                String(attempt.stamp.challenges.existingFactorChallenge),
                "base64",
              );
              const token = await service().services.challengeTokens.issue("passkey", challenge, {
                operation: "retrieve",
              });
              return { ...attempt, token };
            },
          ],
        ];
        const sendAttempt = (attempt: Attempt) => {
          const { stamp, overrides, sent, tweaks, change, by, token } = attempt;
          const activity = stamp.activity(overrides);
          const { credential } = stamped(by, activity, tweaks);
          const authorization = { kind: "PASSKEY", credential: change(credential as RequestBody) };
          return sendStamp(stamp, authorization, sent(activity), { existingFactorChallengeToken: token });
        };
        const flawless = (stamp: Stamp): Attempt => ({
          stamp,
          overrides: {},
          sent: (activity) => activity,
          tweaks: {},
          change: (credential) => credential,
          by: stamp.user.main,
          token: stamp.challenges.existingFactorToken,
        });

        test.each(FAULTS)("%s: %s", async (_, code, spoil) => {
          const stamp = await prepared();
          const answer = await sendAttempt(await spoil(flawless(stamp)));
          expect([answer.status, answer.code()]).toEqual([400, code]);
          expect((await sendAttempt(flawless(stamp))).status).toBe(200);
        });

        test("each before those behind it", async () => {
          const stamp = await prepared();
          const told: string[] = [];
          let attempt = flawless(stamp);
          for (const [, , spoil] of FAULTS.toReversed()) {
            attempt = await spoil(attempt);
            told.push((await sendAttempt(attempt)).code());
          }
          expect(told.reverse()).toEqual(FAULTS.map(([, code]) => code));
        });

        test("each kind of a Turnkey error with words of its own", async () => {
          const stamp = await prepared();
          const messages = new Set<string>();
          const faults = FAULTS.filter(([, code]) => code === error);
          for (const [, , spoil] of faults) {
            const { body } = await sendAttempt(await spoil(flawless(stamp)));
            messages.add((body as { error: { message: string } }).error.message);
          }
          expect(messages.size).toBe(faults.length - 1); // a missing timestamp is as wrong as one that is a number
        });

        test("a token of the other challenge type", async () => {
          const stamp = await prepared();
          const token = stamp.challenges.newFactorToken;
          expect((await sendAttempt({ ...flawless(stamp), token })).code()).toBe("unexpected_challenge_type");
        });
      });
    });

    describe("neither half can be swapped", () => {
      const mismatch = (kind: NewKind) =>
        kind === "OIDC_ACCOUNT" ? "oidc_token_mismatch" : "invalid_challenge_context";

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
            const code = mismatch(newKind);
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
            expect(foreignToken.code()).toBe("invalid_challenge_context");
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

    describe("refuses", () => {
      test("a second key of a kind, and adds no factor", async () => {
        const { client } = service();
        const user = await created(client, newKeypair());
        const added = newKeypair();
        for (const encryptedBackupKey of [ICLOUD, { ...ICLOUD, encryptedKey: "another" }]) {
          const answer = await send(addition(user.main, added), { encryptedBackupKey });
          expect([answer.status, answer.code()]).toEqual([400, "only_one_encryption_key_per_type_allowed"]);
        }
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
          expect(await indexedAs(service(), added.ref)).toBeNull();
          if (kind !== "EC_KEYPAIR") continue;
          (await removeFactor(client, user.sync, second.factorId)).ok();
          (await client.addFactor(request)).ok();
        }
      });

      for (const kind of NEW_KINDS)
        test(`a ${kind} that is on this backup or on another`, async () => {
          const { client } = service();
          const user = await created(client, newKeypair());
          const added = factorOf(kind);
          await created(client, added);
          const elsewhere = await send(addition(user.main, added));
          expect([elsewhere.status, elsewhere.code()]).toEqual([400, "factor_already_exists"]);

          const own = factorOf(kind);
          (await send(addition(user.main, own))).ok();
          expect((await send(addition(user.main, own))).code()).toBe("factor_already_exists");
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

    describe("both tokens are spent", () => {
      test("with the change, so that neither half works again after the factor was removed", async () => {
        const { client } = service();
        for (const kind of NEW_KINDS) {
          const user = await created(client, newKeypair());
          const added = factorOf(kind);
          const request = await additionRequest(client, addition(user.main, added));
          const { factorId } = (await client.addFactor(request)).ok();
          (await removeFactor(client, user.sync, factorId)).ok();
          expect((await client.addFactor(request)).code()).toBe("already_used");
          expect(await indexedAs(service(), added.ref)).toBeNull();
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
              const { oneTime } = await services.challengeTokens.read(token, kind);
              expect((await services.records.locate(null, [oneTime])).spent).toBe(true);
            }
            if (newKind !== "OIDC_ACCOUNT") continue;
            const again = await proven(client, "retrieve", {
              challengeType: "keypair",
              prove: ceremony.answer,
            });
            expect((await client.retrieve(again)).code()).toBe("already_used");
          }
      });

      test("and one of them alone is enough to be told so", async () => {
        const { client, services } = service();
        for (const half of ["existingFactorToken", "newFactorToken"] as const) {
          const user = await created(client, newKeypair());
          const given = addition(user.main, newKeypair());
          const { ceremony, challenges } = await additionChallenge(client, given);
          const { oneTime } = await services.challengeTokens.read(challenges[half], "keypair");
          expect(await services.records.spend([oneTime])).toBe(true);
          const request = { ...existingHalf(given, challenges), ...newHalf(given, ceremony, challenges) };
          expect((await client.addFactor(request)).code()).toBe("already_used");
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
        expect((await client.addFactor({ ...request, encryptedBackupKey: TURNKEY })).code()).toBe(
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

    test("a factor that was removed is no longer anybody's, and can be added again", async () => {
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
