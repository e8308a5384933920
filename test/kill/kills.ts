/** The real process, killed at random moments under load, repeatedly on the same data. */
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { brokenAfterMonths } from "../crash/aftermath.ts";
import type { Report } from "../crash/report.ts";
import type { Driver, TestStorage } from "../drivers.ts";
import { isBrokenConnection } from "../support/broken-connection.ts";
import { CampaignConditions } from "../support/campaign-conditions.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { type BadReceiver, startBadReceiver } from "./bad-receiver.ts";
import { BrokenGuarantee, type Customer, customersOfTwoApps } from "./customer.ts";
import { deliverAll, wrongEvents } from "./deliveries.ts";
import { removeLeftovers } from "./leftovers.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { startStoreProxies } from "./store-proxies.ts";

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly customers?: number;
}

/** The most steps of the customers before a kill. */
const MAX_STEPS = 40;
/** The most event loop iterations between the last step and the kill, which interrupts the requests in progress. */
const MAX_ITERATIONS = 400;
/** On a busy machine the stores' endpoints may be out of reach for longer than the service waits. */
const MAX_REPEATS = { local: 0, aws: 10 };
/** Kills between two runs of the doctor: it refuses to remove more blobs than there are backups. */
const KILLS_A_DOCTOR = 5;

/** Within an hour a customer does more to its backup than an owner. The other limits are the usual ones. */
export const BACKUP_LIMITS = {
  RATE_LIMIT_BACKUP_DESTRUCTIONS_PER_HOUR: "10000",
  RATE_LIMIT_BACKUP_RESTORES_PER_HOUR: "10000",
};

export async function runKills(
  driver: Driver,
  { kills, seed, customers = 12 }: KillOptions,
): Promise<Report> {
  const random = pseudoRandom(seed);
  await using storage = await driver.environment();
  await using receiver = await startBadReceiver(pseudoRandom(seed - 1));
  await using conditions = new CampaignConditions(systemClock);
  const env = { ...storage.env, ...receiver.env, ...conditions.envOfApps, ...BACKUP_LIMITS };
  await using proxies = await startStoreProxies(env);
  const maxRepeats = MAX_REPEATS[driver.name];
  const clients = customersOfTwoApps({ count: customers, seed, conditions, maxRepeats });
  const failures: string[] = [];
  let done = 0;
  let removed = 0;

  /** On the embedded driver the sweep of the service does it. */
  async function doctorsFindings(): Promise<readonly string[]> {
    if (driver.name === "local") return [];
    const found = await removeLeftovers(storage);
    removed += found.removed;
    return found.broken;
  }

  for (; done < kills && failures.length === 0; done++) {
    if (done > 0 && done % KILLS_A_DOCTOR === 0) failures.push(...(await doctorsFindings()));
    const server = await startServerProcess(proxies);
    const processRun = new ProcessRun(server, 1 + (random() % MAX_STEPS), random() % MAX_ITERATIONS);
    const results = await Promise.all(clients.map((client) => processRun.serve(client)));
    failures.push(...results.flatMap((found) => (found === null ? [] : [`kill ${done + 1}: ${found}`])));
    await server.kill(); // still running after a failure
    await proxies.deserted();
  }

  failures.push(...(await wrongAtLast(await startServerProcess(proxies), clients)));
  failures.push(...(await doctorsFindings()));
  const { wrong, notes } = await wrongInTheEnd(storage, receiver, clients);
  return {
    cases: done,
    failures: [...failures, ...wrong].map((failure) => `seed ${seed}: ${failure}`),
    played: conditions.played,
    notes: { ...notes, ...(driver.name === "aws" ? { "blobs that the doctor removed": removed } : {}) },
  };
}

/** What the customers find wrong at the last process, which ends then. */
export async function wrongAtLast(server: ServerProcess, clients: readonly Customer[]): Promise<string[]> {
  const last = await Promise.allSettled(clients.map((client) => client.check(server.url)));
  const wrong = last.flatMap((result) =>
    result.status === "rejected" ? [`after the last kill: ${result.reason}`] : [],
  );
  const exitCode = await server.terminate();
  return exitCode === 0 ? wrong : [...wrong, `the last process ended with ${exitCode}`];
}

/** What is wrong of the events and of all that is stored, once no process runs any more. */
export async function wrongInTheEnd(
  storage: TestStorage,
  receiver: BadReceiver,
  clients: readonly Customer[],
): Promise<{ readonly wrong: readonly string[]; readonly notes: NonNullable<Report["notes"]> }> {
  const sent = receiver.received.length;
  receiver.heal();
  await deliverAll(storage, receiver.config);
  const wrong = clients.flatMap((client) => wrongEvents(receiver.received, client.events));
  wrong.push(...(await brokenNow(storage)), ...(await brokenAfterMonths(storage)));
  const records = clients.map(({ record }) => record);
  return {
    wrong,
    notes: {
      acknowledged: records.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      "left without a response": records.reduce((sum, { withoutResponse }) => sum + withoutResponse, 0),
      "events that arrived": `${sent} and then ${receiver.received.length - sent}`,
    },
  };
}

async function brokenNow(storage: TestStorage): Promise<string[]> {
  await using stores = await storage.open({ clock: systemClock, random: systemRandom });
  return await brokenInvariantsOfAll(stores);
}

/** The run of one process: all customers take steps until it is killed. */
class ProcessRun {
  readonly #server: ServerProcess;
  readonly #iterations: number;
  #stepsLeft: number;
  #ended = false;

  constructor(server: ServerProcess, steps: number, iterations: number) {
    this.#server = server;
    this.#stepsLeft = steps;
    this.#iterations = iterations;
  }

  /** @returns what was wrong; `null` if nothing was until the process ended. */
  async serve(customer: Customer): Promise<string | null> {
    while (!this.#ended) {
      try {
        await customer.step(this.#server.url);
      } catch (error) {
        if (!this.#ended || error instanceof BrokenGuarantee || !isBrokenConnection(error)) {
          this.#ended = true;
          return `${error} (${await this.#server.state()})`;
        }
      }
      if (--this.#stepsLeft === 0) await this.#kill();
    }
    return null;
  }

  async #kill(): Promise<void> {
    for (let count = 0; count < this.#iterations; count++)
      await new Promise<void>((resolve) => setImmediate(resolve));
    this.#ended = true;
    await this.#server.kill();
  }
}
