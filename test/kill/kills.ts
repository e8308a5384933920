/** The real process, killed at random moments under load, again and again on the same data. */

import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { pseudoRandom } from "../model/batches.ts";
import { brokenInvariantsOfAll } from "../support/invariants.ts";
import { BrokenPromise, Customer, customerClient } from "./customer.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly customers?: number;
}

/** A process dies within so many steps of its customers. */
const MAX_STEPS = 40;
/** And up to so many turns of our event loop later: in the middle of whatever is under way then. */
const MAX_TURNS = 400;

export async function runKills(
  driver: Driver,
  { kills, seed, customers = 12 }: KillOptions,
): Promise<Report> {
  const random = pseudoRandom(seed);
  await using storage = await driver.environment();
  const clients = Array.from(
    { length: customers },
    (_, index) => new Customer(pseudoRandom(seed + 1 + index)),
  );
  const failures: string[] = [];
  let done = 0;

  for (; done < kills && failures.length === 0; done++) {
    const server = await startServerProcess(storage);
    const shift = new Shift(server, 1 + (random() % MAX_STEPS), random() % MAX_TURNS);
    const results = await Promise.all(clients.map((client) => shift.serve(client)));
    failures.push(
      ...results.flatMap((found) => (found === null ? [] : [`seed ${seed}, kill ${done + 1}: ${found}`])),
    );
    await server.kill(); // where nobody has, because of a failure
  }

  const server = await startServerProcess(storage);
  const last = await Promise.allSettled(clients.map((client) => client.check(customerClient(server.url))));
  for (const result of last)
    if (result.status === "rejected") failures.push(`seed ${seed}, after the last kill: ${result.reason}`);
  const exitCode = await server.terminate();
  if (exitCode !== 0) failures.push(`the last process ended with ${exitCode}`);

  await using stores = await storage.open({ clock: systemClock, random: systemRandom });
  failures.push(...(await brokenInvariantsOfAll(stores)));
  const referenced = new Set((await Array.fromAsync(stores.records.list())).map(({ blob }) => blob.key));
  const blobs = await Array.fromAsync(stores.blobs.list());
  const records = clients.map(({ record }) => record);
  return {
    cases: done,
    failures,
    notes: {
      acknowledged: records.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      "left without an answer": records.reduce((sum, { doubts }) => sum + doubts, 0),
      "blobs for the sweep": blobs.filter(({ key }) => !referenced.has(key)).length,
    },
  };
}

/** The life of one process: all customers take steps until it is killed. */
class Shift {
  readonly #server: ServerProcess;
  readonly #turns: number;
  #stepsLeft: number;
  #ended = false;

  constructor(server: ServerProcess, steps: number, turns: number) {
    this.#server = server;
    this.#stepsLeft = steps;
    this.#turns = turns;
  }

  /** @returns what was wrong, `null` when the process ended and nothing was. */
  async serve(customer: Customer): Promise<string | null> {
    while (!this.#ended) {
      try {
        await customer.step(this.#server.url);
      } catch (error) {
        if (!this.#ended || error instanceof BrokenPromise || !isBrokenConnection(error)) {
          this.#ended = true;
          return `${error} (${await this.#server.fate()})`;
        }
      }
      if (--this.#stepsLeft === 0) await this.#kill();
    }
    return null;
  }

  async #kill(): Promise<void> {
    for (let turn = 0; turn < this.#turns; turn++)
      await new Promise<void>((resolve) => setImmediate(resolve));
    this.#ended = true;
    await this.#server.kill();
  }
}

/** What `fetch` throws when nobody answers any more; everything else is a finding. */
function isBrokenConnection(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    /^(ConnectionRefused|ConnectionClosed|ECONNREFUSED|ECONNRESET|EPIPE)$/.test(String(error.code))
  );
}
