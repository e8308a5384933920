import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { sharedService } from "../support/shared-service.ts";
import { createPayload, newUser } from "../support/users.ts";

for (const driver of DRIVERS.slice(0, 1))
  describe("a name of at most 256 characters", () => {
    const service = sharedService(driver);
    const ask = (name: string) =>
      service().client.createPasskeyChallenge({ name, displayName: "Ada", platform: "IOS" });

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
