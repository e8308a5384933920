/** An import, killed at its requests to the stores, repeatedly on the same data. */
import { join } from "node:path";
import { systemClock } from "../../src/runtime/clock.ts";
import { runCommand } from "../cli/run-command.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { OidcIssuer } from "../support/oidc-issuer.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { brokenStorage, failedCommand, type MoveKills, usersToMove } from "./moved-users.ts";

export async function runImportKills(
  driver: Driver,
  { kills, users: count, seed }: MoveKills,
): Promise<Report> {
  await using legacy = await newLegacyStores();
  await using storage = await driver.environment();
  await using issuer = new OidcIssuer(systemClock);
  const env = { ...legacy.env, ...storage.env };
  // a third has no rows, so that theirs are added at the end
  const users = usersToMove(count, issuer).map((user, index) =>
    index % 3 === 0 ? { ...user, rows: [] } : user,
  );
  await legacy.add(...users);
  const random = pseudoRandom(seed);
  let killed = 0;
  for (let kill = 0; kill < kills; kill++)
    if ((await killedImport(env, legacy.args, 10 + (random() % (count * 4)))) === "SIGKILL") killed += 1;

  const failures: string[] = [];
  for (const more of [[], ["--verify"]])
    failures.push(...failedCommand("import", await runCommand("import", env, ...legacy.args, ...more)));
  failures.push(...failedCommand("doctor", await runCommand("doctor", env, "--verify")));
  failures.push(...(await brokenStorage(storage, count)));
  const named = failures.map((failure) => `seed ${seed}: ${failure}`);
  return { cases: kills, failures: named, notes: { "kills before the end": killed } };
}

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
