import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import type { RequestBody } from "../support/api-client.ts";
import { sharedService } from "../support/shared-service.ts";
import { createPayload, newUser } from "../support/users.ts";

for (const driver of DRIVERS.slice(0, 1))
  describe("a name of at most 256 characters", () => {
    const service = sharedService(driver);
    const ask = (name: string) =>
      service().client.passkeyChallenge("create", { name, displayName: "Ada", platform: "IOS" });

    test("may have as many of any script", async () => {
      for (const character of ["a", "é", "字", "😀"]) (await ask(character.repeat(256))).ok();
    });

    test("is refused with one more, whatever they are", async () => {
      for (const character of ["a", "😀"]) {
        const answer = await ask(character.repeat(257));
        expect({ status: answer.status, code: answer.code() }).toEqual({
          status: 422,
          code: "invalid_payload",
        });
        expect(answer.body).toMatchObject({
          error: { message: "/name: Expected a value of its type and size" },
        });
      }
    });
  });

for (const driver of DRIVERS)
  describe(`an encrypted key of at most 8 KiB (${driver.name})`, () => {
    const service = sharedService(driver);
    const send = async (encryptedKey: string) => {
      const { client } = service();
      const user = newUser();
      const payload = await createPayload(client, user);
      return client.create(
        { ...payload, initialEncryptionKey: { kind: "ICLOUD", encryptedKey } },
        user.backup,
      );
    };

    for (const [name, character, bytes] of [
      ["ASCII", "a", 1],
      ["Chinese", "字", 3],
      ["control characters, which JSON escapes", "\u0001", 6],
    ] as const)
      test(`may have as many bytes of ${name}, and no more`, async () => {
        const most = Math.floor(8192 / bytes);
        const { backupMetadata } = (await send(character.repeat(most))).ok();
        expect(backupMetadata.keys[0]?.encryptedKey).toBe(character.repeat(most));
        const answer = await send(character.repeat(most + 1));
        expect([answer.status, answer.code()]).toEqual([400, "invalid_payload"]);
      });
  });

for (const driver of DRIVERS.slice(0, 1))
  describe("a text whose bound is in bytes", () => {
    const service = sharedService(driver);
    const KIB = 1024;
    const unknown = { kind: "EC_KEYPAIR", publicKey: "", signature: "" };
    const account = (token: string) => ({
      kind: "OIDC_ACCOUNT",
      oidcToken: { kind: "GOOGLE", token },
      publicKey: "",
      signature: "",
    });
    const passkey = (a: string) => ({ kind: "PASSKEY", credential: { a } });
    const added = {
      existingFactorAuthorization: unknown,
      existingFactorChallengeToken: "",
      newFactorAuthorization: unknown,
      newFactorChallengeToken: "",
    };
    const FIELDS: readonly (readonly [
      name: string,
      path: string,
      maxBytes: number,
      body: (value: string) => RequestBody,
    ])[] = [
      ["a backup id", "/v1/backup/status", 4 * KIB, (backupId) => ({ backupId })],
      [
        "a public key",
        "/v1/verify-factor",
        4 * KIB,
        (publicKey) => ({ authorization: { ...unknown, publicKey }, challengeToken: "" }),
      ],
      [
        "a challenge token",
        "/v1/verify-factor",
        32 * KIB,
        (challengeToken) => ({ authorization: unknown, challengeToken }),
      ],
      [
        "an id_token",
        "/v1/verify-factor",
        8 * KIB,
        (token) => ({ authorization: account(token), challengeToken: "" }),
      ],
      [
        "a credential as JSON",
        "/v1/verify-factor",
        16 * KIB - '{"a":""}'.length,
        (a) => ({ authorization: passkey(a), challengeToken: "" }),
      ],
      [
        "a Turnkey activity",
        "/v1/add-factor",
        16 * KIB,
        (existingFactorTurnkeyActivity) => ({ ...added, existingFactorTurnkeyActivity }),
      ],
    ];
    for (const [name, path, maxBytes, body] of FIELDS)
      test(`takes ${name} of ${maxBytes} bytes, whatever its characters, and no more`, async () => {
        const { client } = service();
        for (const character of ["a", "ä", "字", "😀"]) {
          const count = Math.floor(maxBytes / Buffer.byteLength(character));
          const send = (length: number) =>
            client.send({ method: "POST", path, response: null }, body(character.repeat(length)));
          expect((await send(count)).code()).not.toBe("invalid_payload");
          const over = await send(count + 1);
          expect([over.status, over.code()]).toEqual([422, "invalid_payload"]);
        }
      });
  });
