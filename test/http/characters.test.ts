import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { sharedService } from "../support/shared-service.ts";

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
