/** Two processes on the same data, one of which is killed again and again while the other goes on. */
import { systemClock } from "../../src/runtime/clock.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { isBrokenConnection } from "../support/broken-connection.ts";
import { CampaignConditions } from "../support/campaign-conditions.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { startBadReceiver } from "./bad-receiver.ts";
import { BrokenGuarantee, type Customer, customersOfTwoApps } from "./customer.ts";
import { BACKUP_LIMITS, type KillOptions, wrongAtLast, wrongInTheEnd } from "./kills.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { startStoreProxies } from "./store-proxies.ts";

/** The most steps of the customers before a kill. */
const MAX_STEPS = 30;
const MAX_REPEATS = 40;

/**
 * The customers use either process, and repeat what was left without a response at the other one while the stores may
 * still carry it out. On AWS the way to the stores loses, delays, repeats and refuses requests meanwhile.
 */
export async function runPairKills(
  driver: Driver,
  { kills, seed, customers = 8 }: KillOptions,
): Promise<Report> {
  const random = pseudoRandom(seed);
  await using storage = await driver.environment();
  await using receiver = await startBadReceiver(pseudoRandom(seed - 1));
  await using conditions = new CampaignConditions(systemClock);
  const env = { ...storage.env, ...receiver.env, ...conditions.envOfApps, ...BACKUP_LIMITS };
  await using proxies = await startStoreProxies(env);
  const patience = { maxRepeats: MAX_REPEATS, besideOthers: true };
  const clients = customersOfTwoApps({ count: customers, seed, conditions, ...patience });
  const pair: ServerProcess[] = [await startServerProcess(proxies), await startServerProcess(proxies)];
  const failures: string[] = [];
  let stepsLeft = 1 + (random() % MAX_STEPS);
  let done = 0;
  const isOver = () => done >= kills || failures.length > 0;

  async function serve(customer: Customer): Promise<void> {
    while (!isOver()) {
      const server = pair[random() % pair.length];
      if (server === undefined) throw new Error("no process runs");
      try {
        await customer.step(server.url);
      } catch (error) {
        if (pair.includes(server) || error instanceof BrokenGuarantee || !isBrokenConnection(error))
          failures.push(`kill ${done + 1}: ${error} (${await server.state()})`);
      }
      if (--stepsLeft === 0 && !isOver()) await killOne();
    }
  }

  async function killOne(): Promise<void> {
    const [killed] = pair.splice(random() % pair.length, 1);
    await killed?.kill();
    done++;
    pair.push(await startServerProcess(proxies));
    stepsLeft = 1 + (random() % MAX_STEPS);
  }

  proxies.disturb(random);
  await Promise.all(clients.map(serve));
  await proxies.calm();
  const [last, ...others] = pair;
  if (last === undefined) throw new Error("no process is left");
  for (const other of others) await other.kill();
  failures.push(...(await wrongAtLast(last, clients)));
  await proxies.deserted();
  const { wrong, notes } = await wrongInTheEnd(storage, receiver, clients);
  return {
    cases: done,
    failures: [...failures, ...wrong].map((failure) => `seed ${seed}: ${failure}`),
    played: conditions.played,
    notes,
  };
}
