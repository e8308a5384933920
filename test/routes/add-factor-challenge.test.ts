import { describe, expect, test } from "bun:test";
import { addFactorChallenge } from "../../src/protocol/examples/add-factor.ts";
import { DRIVERS } from "../drivers.ts";
import { additionFixture, additionRequest } from "../support/additions.ts";
import type { ApiClient, RequestBody } from "../support/api-client.ts";
import { discoverablePasskeyOptions } from "../support/creation-options.ts";
import { play } from "../support/example.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { created, newKeypair } from "../support/factors.ts";
import { jsonRequestContract, long } from "./requests.ts";

for (const driver of DRIVERS)
  describe(`add-factor (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [addFactorChallenge]));

    const { service, addition } = additionFixture(driver);

    describe("the challenges", () => {
      const challenge = (client: ApiClient, body: RequestBody) => client.addFactorChallenge(body);
      const keypair = { kind: "EC_KEYPAIR", publicKey: createFactorKeypair().publicKey };

      test("are base64 of 32 bytes each, for a key that signs bytes", async () => {
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
          expect<unknown>(newFactorChallenge).toEqual(
            discoverablePasskeyOptions({ name: "ada", displayName: "Ada" }),
          );
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
          { existingFactorAuthorization: undefined },
          "/existingFactorAuthorization",
        ],
        [
          "without existingFactorChallengeToken",
          { existingFactorChallengeToken: undefined },
          "/existingFactorChallengeToken",
        ],
        ["without newFactorAuthorization", { newFactorAuthorization: undefined }, "/newFactorAuthorization"],
        [
          "without newFactorChallengeToken",
          { newFactorChallengeToken: undefined },
          "/newFactorChallengeToken",
        ],
        [
          "with an activity that is an object",
          { existingFactorTurnkeyActivity: {} },
          "/existingFactorTurnkeyActivity",
        ],
        [
          "with an activity over 16 KiB",
          { existingFactorTurnkeyActivity: long(16_385) },
          "/existingFactorTurnkeyActivity",
        ],
        [
          "with a key of an unknown kind",
          { encryptedBackupKey: { kind: "X", encryptedKey: "x" } },
          "/encryptedBackupKey",
        ],
        ["with turnkeyProviderId a number", { turnkeyProviderId: 1 }, "/turnkeyProviderId"],
      ],
    );
  });
