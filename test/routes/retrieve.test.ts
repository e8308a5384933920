import { describe, expect, test } from "bun:test";
import {
  retrieve,
  retrieveKeypairChallenge,
  retrievePasskeyChallenge,
} from "../../src/protocol/examples/retrieve.ts";
import { DRIVERS } from "../drivers.ts";
import { play } from "../support/example.ts";
import { retrieveCall } from "../support/proven-calls.ts";
import { sharedService } from "../support/shared-service.ts";
import { newUser, randomBytes, recovered, solved, userWithBackup } from "../support/users.ts";
import { existingFactorContract } from "./existing-factors.ts";
import { proofContract } from "./proofs.ts";
import { jsonRequestContract } from "./requests.ts";

for (const driver of DRIVERS)
  describe(`retrieve (${driver.name})`, () => {
    test("answers as the API reference shows", () => play(driver, [retrieveKeypairChallenge, retrieve]));
    test("hands out the passkey challenge that the API reference shows", () =>
      play(driver, [retrievePasskeyChallenge]));

    const service = sharedService(driver);

    test("returns content, metadata and a token for a sync factor", async () => {
      const { client, clock } = service();
      const user = await userWithBackup(client);
      const { backup, metadata, syncFactorToken } = await recovered(client, user);

      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      const createdAt = Math.floor(clock.nowMs() / 1000);
      expect(metadata).toEqual({
        id: user.account.backupAccountId,
        keys: [{ kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" }],
        factors: [
          { id: expect.any(String), createdAt, kind: { kind: "EC_KEYPAIR", publicKey: user.main.publicKey } },
        ],
        syncFactors: [
          { id: expect.any(String), createdAt, kind: { kind: "EC_KEYPAIR", publicKey: user.sync.publicKey } },
        ],
        manifestHash: user.manifestHash,
        versions: [],
      });
      expect(metadata.factors[0]?.id).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
      expect(syncFactorToken).toMatch(/^[A-Za-z0-9_-]{43}$/);
    });

    test("issues another token each time", async () => {
      const { client } = service();
      const user = await userWithBackup(client);
      const first = await recovered(client, user);
      const second = await recovered(client, user);
      expect(second.syncFactorToken).not.toBe(first.syncFactorToken);
    });

    test("leaves the token for a sync factor nowhere in the records", async () => {
      const { client, services } = service();
      const user = await userWithBackup(client);
      const { syncFactorToken } = await recovered(client, user);
      expect(await services.records.readToken(syncFactorToken)).toBeNull();
      const stored = await services.records.read(user.account.backupAccountId);
      expect(JSON.stringify(stored)).not.toContain(syncFactorToken);
    });

    for (const size of [1, 2, 3, 4, 196_607, 196_608, 196_609, 262_143, 262_144, 262_145, 1_000_003])
      test(`returns ${size} bytes as canonical base64`, async () => {
        const { client } = service();
        const user = await userWithBackup(client, newUser(randomBytes(size)));
        const proof = await solved(client, "retrieve", user.main);
        const answer = await client.retrieve(proof);
        expect(answer.ok().backup === Buffer.from(user.backup).toString("base64")).toBe(true);
        expect(answer.headers.get("content-type")).toBe("application/json");
        const framing = ["content-length", "transfer-encoding"].map((name) => answer.headers.get(name));
        expect(framing).toEqual([String(JSON.stringify(answer.body).length), null]);
      });

    proofContract(service, retrieveCall);
    existingFactorContract(service, retrieveCall);
    jsonRequestContract(service, "/v1/retrieve/from-challenge", async (client) =>
      solved(client, "retrieve", (await userWithBackup(client)).main),
    );
  });
