import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { encodeBase64 } from "../../src/crypto/encoding.ts";
import { AddFactorRequest } from "../../src/protocol/add-factor.ts";
import { proveAddition } from "../../src/routes/prove-addition.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import {
  type Addition,
  additionChallenge,
  additionFixture,
  type Challenges,
  existingHalf,
  newHalf,
  stamped,
} from "../support/additions.ts";
import type { RequestBody } from "../support/api-client.ts";
import {
  type Ceremony,
  created,
  type FactorUser,
  type MainFactor,
  newKeypair,
  newPasskey,
  PRF,
  TURNKEY,
} from "../support/factors.ts";
import { rewriteMetadata, storedRecord } from "../support/stored.ts";
import { turnkeyActivity } from "../support/turnkey-activity.ts";

const MINUTE_MS = 60_000;

for (const driver of DRIVERS)
  describe(`add-factor (${driver.name})`, () => {
    const { service, addition } = additionFixture(driver);

    test("reports an outage while the existing token is opened, and not a missing activity", async () => {
      const { client, services } = service();
      const main = newPasskey();
      await created(client, main);
      const given = addition(main, newKeypair(), "PASSKEY_ASSERTION");
      const { challenges, ceremony } = await additionChallenge(client, given);
      const request = { ...existingHalf(given, challenges), ...newHalf(given, ceremony, challenges) };
      const read = () => Promise.reject(new StorageUnavailable("not known yet"));
      const challengeTokens = { ...services.challengeTokens, read };
      const failure = proveAddition({ ...services, challengeTokens }, Value.Parse(AddFactorRequest, request));
      await expect(failure).rejects.toThrow(StorageUnavailable);
    });

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
        await rewriteMetadata(services, backupId, (metadata) => ({ ...metadata, keys }));
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

      test("may have spaces, other members and any order in the activity, whose exact text is verified", async () => {
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

      test("may have a counter that went back where the passkey is synchronised", async () => {
        const { services } = service();
        const stamp = await prepared(newPasskey({ counter: 5 }));
        const activity = stamp.activity();
        (await sendStamp(stamp, stamped(stamp.user.main, activity, { counter: 3 }), activity)).ok();
        const stored = await storedRecord(services, stamp.user.account.backupAccountId);
        expect(JSON.stringify(stored.metadata)).toContain('"counter":3');
        expect(await services.metrics.text()).toContain("signature_counters_back_total 1");
      });

      test("keeps the counter of the passkey, and takes no lower one", async () => {
        const { services } = service();
        const stamp = await prepared(newPasskey({ counter: 5, deviceBound: true }));
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

      describe("is refused, and of several faults the first in this order is reported:", () => {
        type Fault = readonly [
          name: string,
          code: string,
          change: (attempt: Attempt) => Attempt | Promise<Attempt>,
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
              change: (credential) => ({
                ...credential,
                clientExtensionResults: { prf: { results: { first: "AAAA" } } },
              }),
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

        test.each(FAULTS)("%s: %s", async (_, code, change) => {
          const stamp = await prepared();
          const answer = await sendAttempt(await change(flawless(stamp)));
          expect([answer.status, answer.code()]).toEqual([400, code]);
          expect((await sendAttempt(flawless(stamp))).status).toBe(200);
        });

        test("each before those behind it", async () => {
          const stamp = await prepared();
          const reported: string[] = [];
          let attempt = flawless(stamp);
          for (const [, , change] of FAULTS.toReversed()) {
            attempt = await change(attempt);
            reported.push((await sendAttempt(attempt)).code());
          }
          expect(reported.reverse()).toEqual(FAULTS.map(([, code]) => code));
        });

        test("each kind of a Turnkey error with a different message", async () => {
          const stamp = await prepared();
          const messages = new Set<string>();
          const faults = FAULTS.filter(([, code]) => code === error);
          for (const [, , change] of faults) {
            const { body } = await sendAttempt(await change(flawless(stamp)));
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
  });
