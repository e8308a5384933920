import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { runCommand } from "../cli/run-command.ts";
import { DRIVERS } from "../drivers.ts";
import { pseudoRandom } from "../model/batches.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { legacyKeypair, legacyUser } from "../support/legacy-users.ts";

const SEED = 20_261_126;
const KILLS = 8;
const USERS = 40;

/** Runs an import and kills it at its n-th request to a store. Resolves when it has ended. */
async function killedImport(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  requests: number,
) {
  await using s3 = await startFaultProxy(env.AWS_ENDPOINT_URL_S3 ?? "");
  await using dynamoDb = await startFaultProxy(env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../src/cli/import.ts"), ...args], {
    env: {
      ...CLEAN_ENVIRONMENT,
      ...env,
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url,
    },
    stdout: "ignore",
    stderr: "ignore",
  });
  let left = requests;
  const count = () => {
    if (--left === 0) child.kill("SIGKILL");
    return false;
  };
  for (const proxy of [s3, dynamoDb]) proxy.inject({ kind: "drop request" }, Number.POSITIVE_INFINITY, count);
  await child.exited;
  await Promise.all([s3.deserted(), dynamoDb.deserted()]);
  return child.signalCode;
}

for (const driver of DRIVERS)
  describe(`an import that is killed, on ${driver.name}`, () => {
    test(`again and again, is finished by the next one`, async () => {
      await using legacy = await newLegacyStores();
      await using storage = await driver.environment();
      const env = { ...legacy.env, ...storage.env };
      const users = Array.from({ length: USERS }, (_, index) =>
        legacyUser({
          ...(index % 7 === 0 ? { mains: Array.from({ length: 100 }, () => legacyKeypair()) } : {}),
          ...(index % 5 === 0 ? { contentBytes: 300_000 } : {}),
        }),
      );
      // a third has no rows, so that theirs are added at the end
      await legacy.add(...users.map((user, index) => (index % 3 === 0 ? { ...user, rows: [] } : user)));
      const random = pseudoRandom(SEED);
      let killed = 0;
      for (let kill = 0; kill < KILLS; kill++)
        if ((await killedImport(env, legacy.args, 10 + (random() % (USERS * 4)))) === "SIGKILL") killed += 1;
      expect(killed).toBeGreaterThan(KILLS / 2);

      expect(await runCommand("import", env, ...legacy.args)).toMatchObject({ status: 0 });
      expect(await runCommand("import", env, ...legacy.args, "--verify")).toMatchObject({ status: 0 });
      expect(await runCommand("doctor", env, "--verify")).toMatchObject({ status: 0 });
      await using stores = await storage.open({ clock: systemClock, random: systemRandom });
      expect(await Array.fromAsync(stores.records.list())).toHaveLength(USERS);
      expect(await brokenInvariantsOfAll(stores)).toEqual([]);
    });
  });
