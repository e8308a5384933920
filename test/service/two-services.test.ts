import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { RIVALS } from "../support/rivals.ts";
import { startService } from "../support/service.ts";
import { untilAvailable } from "../support/until-available.ts";
import {
  createPayload,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

/** Two services, each with stores of its own, on one storage. */
async function twoServices(driver: (typeof DRIVERS)[number]) {
  const storage = await driver.environment();
  const services = [
    await startService(driver, { storage }),
    await startService(driver, { storage }),
  ] as const;
  const [first, second] = services;
  return {
    first,
    clients: [createApiClient({ url: first.url }), createApiClient({ url: second.url })] as const,
    async [Symbol.asyncDispose]() {
      for (const service of services) await service[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}

type Clients = readonly [ApiClient, ApiClient];

/** Sends `width` requests at once, every other one to the other service, and counts the outcomes. */
async function outcomes(
  width: number,
  clients: Clients,
  send: (client: ApiClient, index: number) => Promise<{ readonly status: number; code(): string }>,
) {
  const answers = await Promise.all(
    Array.from({ length: width }, (_, index) => send(clients[index % 2 === 0 ? 0 : 1], index)),
  );
  const failures = answers.filter(({ status }) => status >= 300).map((answer) => answer.code());
  return { winners: width - failures.length, codes: [...new Set(failures)].sort() };
}

for (const driver of DRIVERS)
  describe(`two services on one storage (${driver.name})`, () => {
    const width = RIVALS[driver.name];

    test(`let one of ${width} creates of an account id win`, async () => {
      await using pair = await twoServices(driver);
      const { account } = newUser();
      const users = Array.from({ length: width }, () => ({ ...newUser(), account }));
      const payloads = await Promise.all(users.map((user) => createPayload(pair.clients[0], user)));
      const { winners, codes } = await outcomes(width, pair.clients, (client, index) =>
        untilAvailable(() => client.create(payloads[index] ?? {}, users[index]?.backup ?? new Uint8Array())),
      );
      expect({ winners, codes }).toEqual({ winners: 1, codes: ["backup_account_id_already_exists"] });
      expect(await Array.fromAsync(pair.first.services.stores.blobs.list())).toHaveLength(1);
    });

    test(`let one of ${width} syncs from a state win`, async () => {
      await using pair = await twoServices(driver);
      const user = await userWithBackup(pair.clients[0]);
      const contents = Array.from({ length: width }, () => ({
        hash: newManifestHash(),
        bytes: randomBytes(64),
      }));
      const payloads = await Promise.all(
        contents.map(({ hash }, index) => syncPayload(pair.clients[index % 2 === 0 ? 0 : 1], user, hash)),
      );
      const { winners, codes } = await outcomes(width, pair.clients, (client, index) =>
        untilAvailable(() => client.sync(payloads[index] ?? {}, contents[index]?.bytes ?? new Uint8Array())),
      );
      expect(winners).toBe(1);
      for (const code of codes) expect(["conflicting_lock", "manifest_hash_mismatch"]).toContain(code);
      const { backup, metadata } = await recovered(pair.clients[1], user);
      const winner = contents.find(({ hash }) => hash === metadata.manifestHash);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(winner?.bytes ?? []));
    });

    test(`let one of ${width} uses of a proof win`, async () => {
      await using pair = await twoServices(driver);
      const user = await userWithBackup(pair.clients[0]);
      const proof = await solved(pair.clients[0], "verify-factor", user.main);
      expect(await outcomes(width, pair.clients, (client) => client.verifyFactor(proof))).toEqual({
        winners: 1,
        codes: ["already_used"],
      });
    });
  });
