/**
 * Clients of one backup, served by several processes on the same stores: their requests must be linearizable, also where
 * stores are slow, refuse or lose responses, and processes are killed.
 */
import type { Stores } from "../../src/services.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { type ServerProcess, startServerProcess } from "../kill/server-process.ts";
import { PLANTED } from "../planted/planted-stores.ts";
import { DYNAMODB_FAULTS } from "../support/dynamodb-proxy.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { S3_FAULTS } from "../support/s3-proxy.ts";
import { startService } from "../support/service.ts";
import { interleaving, late } from "../support/store-wrappers.ts";
import { verdictsOn } from "./checker.ts";
import { type Entry, HistoryRecorder, internalErrors, overtakenByNone } from "./history.ts";

export interface LinearizabilityOptions {
  readonly rounds: number;
  readonly seed: number;
}

/** On the embedded driver one process serves a data folder. */
const PROCESSES = { local: 1, aws: 2 };
const BACKUPS = 6;
const CLIENTS = 3;
const REQUESTS = 10;
/** As in checker/main.go. The days of the contents are not in the model. */
const ENV = {
  VERSIONS_KEEP_LAST: "2",
  VERSIONS_KEEP_DAYS: "0",
  MAX_MAIN_FACTORS: "3",
  MAX_SYNC_FACTORS: "3",
};
/** One request in so many meets a fault. */
const FAULTY = 12;

/** Rounds in which commits are made after their requests were refused. */
const LATE_ROUNDS = 4;

/** Stores that must be noticed, otherwise nothing is. */
const BROKEN = [
  "overwrites what is newer",
  "forgets tokens",
  "refuses restorations",
  "finds restorations overtaken",
] as const;

/** After so many without a finding the checker is broken. */
const ATTEMPTS = 24;

/** A case is the history of one backup. */
export async function runLinearizability(
  driver: Driver,
  { rounds, seed }: LinearizabilityOptions,
): Promise<Report> {
  const random = pseudoRandom(seed);
  await using storage = await driver.environment();
  await using proxies = await startFaultyStores(storage.env, random);
  const env = { ...storage.env, ...proxies.env, ...ENV };
  const processes = Array.from({ length: PROCESSES[driver.name] }, () => startServerProcess({ env }));
  const histories: (readonly Entry[])[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const recorders = newRecorders(random);
      let untilKill = 1 + (random() % (BACKUPS * CLIENTS * REQUESTS));
      proxies.begin();
      await recordAll(recorders, async () => {
        const nth = random() % processes.length;
        if (--untilKill === 0) processes[nth] = replacedProcess(processes[nth], env);
        return (await processes[nth])?.url ?? "";
      });
      proxies.end();
      histories.push(...recorders.map(({ entries }) => entries));
    }
  } finally {
    for (const process of processes) await (await process).kill();
  }
  for (let round = 0; round < LATE_ROUNDS; round++)
    histories.push(...(await historiesInProcess(driver, (stores) => late(stores, random), random)));
  const failures = (await wrongIn(histories)).map((wrong) => `seed ${seed}, ${wrong}`);
  for (const fault of BROKEN)
    if (!(await isNoticed(driver, PLANTED[fault], random)))
      failures.push(`seed ${seed}: that a store ${fault} is not noticed`);
  const all = histories.flat();
  const count = (outcome: Entry["response"]["outcome"]) =>
    all.filter(({ response }) => response.outcome === outcome).length;
  const notes = { requests: all.length, successful: count("ok"), "of unknown outcome": count("unknown") };
  return { cases: histories.length, failures, notes };
}

function newRecorders(random: () => number): readonly HistoryRecorder[] {
  return Array.from({ length: BACKUPS }, () => new HistoryRecorder(pseudoRandom(random())));
}

async function recordAll(
  recorders: readonly HistoryRecorder[],
  chooseUrl: () => Promise<string>,
): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, (_, client) => client);
  await Promise.all(
    recorders.flatMap((recorder) => clients.map((client) => recorder.run(client, REQUESTS, chooseUrl))),
  );
}

async function replacedProcess(
  process: Promise<ServerProcess> | undefined,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  await (await process)?.kill();
  return startServerProcess({ env });
}

/** A fault shows in about every third history. */
async function isNoticed(driver: Driver, plant: Wrapper, random: () => number): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++)
    if ((await wrongIn(await historiesInProcess(driver, plant, random))).length > 0) return true;
  return false;
}

async function wrongIn(histories: readonly (readonly Entry[])[]): Promise<readonly string[]> {
  const verdicts = await verdictsOn(histories);
  return histories.flatMap((history, nth) => {
    const wrong = [
      ...(verdicts[nth] === "ok" ? [] : [verdicts[nth]]),
      ...overtakenByNone(history).map(({ call }) => `wrong: none can have overtaken the request of ${call}`),
      ...internalErrors(history).map(
        ({ call }) => `wrong: a fault of the service ended the request of ${call}`,
      ),
    ];
    return wrong.length === 0 ? [] : [`history ${nth} is ${wrong.join(", ")}: ${shown(history)}`];
  });
}

type Wrapper = (stores: Stores) => Stores;

/** The same clients on two services of one storage, whose stores may be wrapped. */
export async function historiesInProcess(driver: Driver, wrap: Wrapper, random: () => number) {
  await using storage = await driver.environment();
  const options = { storage, env: ENV, wrapStores: (stores: Stores) => wrap(interleaving(stores)) };
  await using first = await startService(driver, options);
  await using second = await startService(driver, options);
  const recorders = [...newRecorders(random), ...newRecorders(random)];
  await recordAll(recorders, async () => (random() % 2 === 0 ? first : second).url);
  return recorders.map(({ entries }) => entries);
}

/** Proxies in front of the stores that have endpoints. */
async function startFaultyStores(env: Readonly<Record<string, string>>, random: () => number) {
  const proxies: { readonly proxy: FaultProxy; readonly faults: typeof DYNAMODB_FAULTS }[] = [];
  const through: Record<string, string> = {};
  for (const [name, faults] of [
    ["AWS_ENDPOINT_URL_DYNAMODB", DYNAMODB_FAULTS],
    ["AWS_ENDPOINT_URL_S3", S3_FAULTS],
  ] as const) {
    const endpoint = env[name];
    if (endpoint === undefined) continue;
    const proxy = await startFaultProxy(endpoint);
    proxies.push({ proxy, faults });
    through[name] = proxy.url;
  }
  return {
    env: through,
    begin() {
      for (const { proxy, faults } of proxies)
        for (const fault of Object.values(faults)) {
          // a wrong clock makes no request fail, and is the same for all requests
          if (fault.kind !== "clock")
            proxy.inject(fault, Number.POSITIVE_INFINITY, () => random() % (FAULTY * 10) === 0);
        }
    },
    end() {
      for (const { proxy } of proxies) proxy.clear();
    },
    async [Symbol.asyncDispose]() {
      for (const { proxy } of proxies) await proxy[Symbol.asyncDispose]();
    },
  };
}

/** In the order of the calls, with short names. */
function shown(history: readonly Entry[]): string {
  const lines = history
    .toSorted((one, other) => one.call - other.call)
    .map((entry) =>
      JSON.stringify(entry, (_key, value) => (typeof value === "string" ? value.slice(-12) : value)),
    );
  return `\n${lines.join("\n")}`;
}
