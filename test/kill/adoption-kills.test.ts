import { describe, expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { runCommand } from "../cli/run-command.ts";
import { DRIVERS } from "../drivers.ts";
import { pseudoRandom } from "../model/batches.ts";
import { adoptionEnv } from "../support/adopting-service.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { proven, recoveredBy } from "../support/factors.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { type LegacyUser, legacyKeypair, legacyUser } from "../support/legacy-users.ts";
import { firstMain } from "../support/moved-in-users.ts";
import { startServerProcess } from "./server-process.ts";

const SEED = 20_261_127;
const KILLS = 8;
const USERS = 40;

/** Serves these users until the process is killed, at its n-th request to a store after they have come. */
async function serveUntilKilled(
  env: Readonly<Record<string, string>>,
  users: readonly LegacyUser[],
  requests: number,
): Promise<number> {
  await using s3 = await startFaultProxy(env.AWS_ENDPOINT_URL_S3 ?? "");
  await using dynamoDb = await startFaultProxy(env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
  const server = await startServerProcess({
    env: { ...env, AWS_ENDPOINT_URL_S3: s3.url, AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url },
  });
  let left = requests;
  const killed = Promise.withResolvers<void>();
  const count = () => {
    if (--left === 0) server.kill().then(killed.resolve, killed.reject);
    return false;
  };
  for (const proxy of [s3, dynamoDb]) proxy.inject({ kind: "drop request" }, Number.POSITIVE_INFINITY, count);
  const client = createApiClient({ url: server.url });
  const served = await Promise.allSettled(users.map((user) => verify(client, user)));
  if (left > 0) await server.kill();
  else await killed.promise;
  await Promise.all([s3.settled(), dynamoDb.settled()]);
  return served.filter(({ status }) => status === "rejected").length;
}

async function verify(client: ApiClient, user: LegacyUser): Promise<void> {
  const { backupId } = (
    await client.verifyFactor(await proven(client, "verify-factor", firstMain(user)))
  ).ok();
  expect(backupId).toBe(user.id);
}

for (const driver of DRIVERS)
  describe(`a service that is killed while it adopts, on ${driver.name}`, () => {
    test("again and again, is finished by the next one", async () => {
      await using legacy = await newLegacyStores();
      await using storage = await driver.environment();
      const env = { ...adoptionEnv(legacy), ...storage.env };
      const users = Array.from({ length: USERS }, (_, index) =>
        legacyUser({
          ...(index % 7 === 0 ? { mains: Array.from({ length: 100 }, () => legacyKeypair()) } : {}),
          ...(index % 5 === 0 ? { contentBytes: 300_000 } : {}),
        }),
      );
      await legacy.add(...users);
      const random = pseudoRandom(SEED);
      let interrupted = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const some = users.filter((_, index) => index % KILLS <= kill);
        interrupted += (await serveUntilKilled(env, some, 1 + (random() % 25))) > 0 ? 1 : 0;
      }
      expect(interrupted).toBeGreaterThan(KILLS / 2);

      const server = await startServerProcess({ env });
      const client = createApiClient({ url: server.url });
      for (const user of users) {
        const { backup } = await recoveredBy(client, firstMain(user));
        expect(backup).toBe(Buffer.from(user.content).toString("base64"));
        for (const main of user.mains.slice(88)) // those that no commit of the adoption indexed
          await verify(client, { ...user, mains: [main] });
      }
      expect(await server.terminate()).toBe(0);

      expect(await runCommand("import", env, ...legacy.args)).toMatchObject({
        status: 0,
        output: expect.stringContaining(`Took over 0 backups; ${USERS} were taken over before.`),
      });
      expect(await runCommand("doctor", env, "--verify")).toMatchObject({ status: 0 });
      await using stores = await storage.open({ clock: systemClock, random: systemRandom });
      expect(await Array.fromAsync(stores.records.list())).toHaveLength(USERS);
      expect(await brokenInvariantsOfAll(stores)).toEqual([]);
    });
  });
