/** A service that adopts the backups of the other one, killed at its requests to the stores, repeatedly on the same data. */
import { systemClock } from "../../src/runtime/clock.ts";
import { runCommand } from "../cli/run-command.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { adoptionEnv } from "../support/adopting-service.ts";
import type { ApiClient } from "../support/api-client.ts";
import { CampaignConditions } from "../support/campaign-conditions.ts";
import { proven, recoveredBy } from "../support/factors.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import type { LegacyUser } from "../support/legacy-users.ts";
import { firstMain } from "../support/moved-in-users.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { brokenStorage, failedCommand, type MoveKills, usersToMove } from "./moved-users.ts";
import { startServerProcess } from "./server-process.ts";

/** The most requests to the stores before a kill. */
const MAX_REQUESTS = 25;
/** Of a hundred factors one commit indexes ninety. */
const BEYOND_A_COMMIT = 12;

export async function runAdoptionKills(
  driver: Driver,
  { kills, users: count, seed }: MoveKills,
): Promise<Report> {
  await using legacy = await newLegacyStores();
  await using storage = await driver.environment();
  await using conditions = new CampaignConditions(systemClock);
  const env = { ...adoptionEnv(legacy), ...conditions.env, ...storage.env };
  const users = usersToMove(count, conditions.issuer);
  await legacy.add(...users);
  const random = pseudoRandom(seed);
  let interrupted = 0;
  for (let kill = 0; kill < kills; kill++) {
    const some = users.filter((_, index) => index % kills <= kill);
    if ((await serveUntilKilled(conditions, env, some, 1 + (random() % MAX_REQUESTS))) > 0) interrupted++;
  }

  const failures: string[] = [];
  const server = await startServerProcess({ env });
  const client = conditions.newClient(server.url);
  for (const user of users) failures.push(...(await problemsOf(client, user)));
  const status = await server.terminate();
  if (status !== 0) failures.push(`the service ended with ${status}`);

  const imported = await runCommand("import", env, ...legacy.args);
  if (!imported.output.includes(`Took over 0 backups; ${count} were taken over before.`))
    failures.push(`an import afterwards: ${imported.output}`);
  failures.push(...failedCommand("import", imported));
  failures.push(...failedCommand("doctor", await runCommand("doctor", env, "--verify")));
  failures.push(...(await brokenStorage(storage, count)));
  const named = failures.map((failure) => `seed ${seed}: ${failure}`);
  return { cases: kills, failures: named, notes: { "kills that hit requests": interrupted } };
}

/**
 * Serves these users until the process is killed, at its n-th request to a store after they have come.
 *
 * @returns how many of them got no response.
 */
async function serveUntilKilled(
  conditions: CampaignConditions,
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
  const client = conditions.newClient(server.url);
  const served = await Promise.allSettled(users.map((user) => backupOf(client, firstMain(user))));
  if (left > 0) await server.kill();
  else await killed.promise;
  await Promise.all([s3.settled(), dynamoDb.settled()]);
  return served.filter(({ status }) => status === "rejected").length;
}

async function backupOf(client: ApiClient, main: LegacyUser["mains"][number]): Promise<string> {
  return (await client.verifyFactor(await proven(client, "verify-factor", main))).ok().backupId;
}

/** What is wrong with the backup of a user, and with those of its factors that no commit of the adoption indexed. */
async function problemsOf(client: ApiClient, user: LegacyUser): Promise<readonly string[]> {
  try {
    const { backup } = await recoveredBy(client, firstMain(user));
    const problems = backup === Buffer.from(user.content).toString("base64") ? [] : ["another content"];
    for (const main of user.mains.slice(-BEYOND_A_COMMIT))
      if ((await backupOf(client, main)) !== user.id) problems.push("a factor leads to another backup");
    return problems.map((problem) => `${user.id}: ${problem}`);
  } catch (error) {
    return [`${user.id}: ${error}`];
  }
}
