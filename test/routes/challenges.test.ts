import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { DRIVERS } from "../drivers.ts";
import type { RequestBody } from "../support/api-client.ts";
import { discoverablePasskeyOptions } from "../support/creation-options.ts";
import type { MainOperation } from "../support/factors.ts";
import { chunk, head, LAST_CHUNK, openConnection } from "../support/raw-http.ts";
import { sharedService } from "../support/shared-service.ts";
import { jsonRequestContract, long } from "./requests.ts";

const OPERATIONS: readonly MainOperation[] = ["retrieve", "verify-factor"];

for (const driver of DRIVERS)
  describe(`passkey challenges (${driver.name})`, () => {
    const service = sharedService(driver);

    describe("the options to make one", () => {
      const options = async (body: RequestBody) =>
        (await service().client.passkeyChallenge("create", body)).ok();

      test("on ANDROID are these and no others; the API reference shows those on IOS", async () => {
        const user = { name: "ada@example.com", displayName: "Ada" };
        const { challenge } = await options({ ...user, platform: "ANDROID" });
        expect<unknown>(challenge).toEqual(discoverablePasskeyOptions(user));
      });

      test("have another challenge, user id and token each time", async () => {
        const seen = new Set<string>();
        for (let round = 0; round < 3; round++) {
          const { challenge, token } = await options({ name: "a", displayName: "A", platform: "IOS" });
          for (const value of [challenge.publicKey.challenge, challenge.publicKey.user.id, token])
            seen.add(value);
        }
        expect(seen.size).toBe(9);
      });

      test("need a name and a display name", async () => {
        const { client } = service();
        for (const empty of [{ name: "" }, { displayName: "" }]) {
          const body = { name: "a", displayName: "A", platform: "IOS", ...empty };
          const answer = await client.passkeyChallenge("create", body);
          expect([answer.status, answer.code()]).toEqual([400, "webauthn_error"]);
        }
      });

      jsonRequestContract(
        service,
        "/v1/create/challenge/passkey",
        async () => ({ name: "a", displayName: "A", platform: "IOS" }),
        [
          ["without name", { name: undefined }, "/name"],
          ["with name null", { name: null }, "/name"],
          ["with name over 256 characters", { name: long(257) }, "/name"],
          ["without displayName", { displayName: undefined }, "/displayName"],
          ["with displayName over 256 characters", { displayName: long(257) }, "/displayName"],
          ["without platform", { platform: undefined }, "/platform"],
          ["of another platform", { platform: "WINDOWS" }, "/platform"],
          ["of a platform in lower case", { platform: "ios" }, "/platform"],
        ],
      );
    });

    for (const operation of OPERATIONS)
      describe(`the options to use one for ${operation}`, () => {
        const path = `/v1/${operation}/challenge/passkey`;

        test("need no body", async () => {
          const { client } = service();
          const json = { "content-type": "application/json" };
          for (const init of [
            {},
            { body: "", headers: json },
            { body: "{}", headers: json },
            { body: '{"a":1}', headers: json },
          ]) {
            const response = Type.Object({ token: Type.String() });
            const answer = await client.exchange({ method: "POST", path, response }, init);
            expect(answer.ok().token).not.toBe("");
          }
        });

        for (const [name, headers, sent] of [
          ["a type without a length", { "content-type": "application/json" }, ""],
          ["a length of 0 and another type", { "content-type": "text/plain", "content-length": 0 }, ""],
          ["chunks, but none", { "transfer-encoding": "chunked" }, LAST_CHUNK],
          [
            "a type and no chunks",
            { "content-type": "application/json", "transfer-encoding": "chunked" },
            LAST_CHUNK,
          ],
        ] as const)
          test(`need no body where a request announces ${name}`, async () => {
            using connection = await openConnection(service().url);
            await connection.write(head("POST", path, headers) + sent);
            const { status, body } = await connection.answer();
            expect([status, JSON.parse(body).token]).toEqual([200, expect.any(String)]);
          });

        test("are not issued for chunks of another type, of which only the first is read", async () => {
          using connection = await openConnection(service().url);
          const chunked = { "content-type": "text/plain", "transfer-encoding": "chunked" };
          await connection.write(head("POST", path, chunked));
          await connection.write(chunk("x"));
          expect((await connection.answer()).status).toBe(415);
        });

        test("are not issued for a body of another type", async () => {
          const { client } = service();
          const sent = async (body: string, type: string) =>
            (
              await client.exchange(
                { method: "POST", path, response: null },
                { body, headers: { "content-type": type } },
              )
            ).status;
          expect(await sent("{", "application/json")).toBe(400);
          expect(await sent("[]", "application/json")).toBe(422);
          expect(await sent("{}", "text/plain")).toBe(415);
          expect(await sent("x".repeat(3_000_000), "text/plain")).toBe(415);
        });
      });
  });
