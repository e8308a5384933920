/** Every operation, with every fault at every call that it makes to the stores. */
import type { Services } from "../../src/services.ts";
import type { Driver, TestStorage } from "../drivers.ts";
import type { Answer } from "../support/api-client.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants, brokenInvariantsOfAll } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { FAULTS, Fault, type FaultKind } from "./faults.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { pooled, type Report } from "./report.ts";
import type { Trial } from "./trial.ts";

export interface CrashOptions {
  readonly faults?: readonly FaultKind[];
  readonly operations?: readonly Operation[];
}

/** How many operations are tried side by side; each has backups of its own. */
const WIDTH = 6;

/** Tries every combination of operation, fault and call on one storage. */
export async function tryCrashPoints(
  driver: Driver,
  { faults = FAULTS, operations = OPERATIONS }: CrashOptions = {},
): Promise<Report> {
  await using storage = await driver.environment();
  await using healthy = await startService(driver, { storage });
  const scene: Scene = { driver, storage, healthy };
  const series = operations.flatMap((operation) => faults.map((kind) => ({ operation, kind })));
  const results = await pooled(series, WIDTH, ({ operation, kind }) => tryCalls(scene, operation, kind));
  const left = (await brokenInvariantsOfAll(healthy.services)).map((broken) => `in the end: ${broken}`);
  return {
    cases: results.reduce((sum, { cases }) => sum + cases, 0),
    failures: [...results.flatMap(({ failures }) => failures), ...left],
    notes: { operations: operations.length, faults: faults.length },
  };
}

interface Scene {
  readonly driver: Driver;
  readonly storage: TestStorage;
  /** A service that nothing happens to. */
  readonly healthy: TestService;
}

/** The fault at the first call, at the second, and so on until the operation makes no more. */
async function tryCalls(scene: Scene, operation: Operation, kind: FaultKind): Promise<Report> {
  const failures: string[] = [];
  for (let at = 1; ; at++) {
    const { hit, problems } = await tryOnce(scene, operation, new Fault(kind, at), kind);
    failures.push(
      ...problems.map((problem) => `${operation.name}, ${kind} call ${at} (${hit ?? "none"}): ${problem}`),
    );
    if (hit === null) return { cases: at - 1, failures };
  }
}

async function tryOnce(
  { driver, storage, healthy }: Scene,
  operation: Operation,
  fault: Fault,
  kind: FaultKind,
) {
  const { client, services } = healthy;
  const trial = await operation.prepare(client);
  const problems: string[] = [];
  const expect = (what: string, found: unknown, ...expected: unknown[]) => {
    if (!expected.includes(found)) problems.push(`${what} is ${found}, not ${expected.join(" or ")}`);
  };

  const first = await withFault(driver, storage, fault, trial);
  const { hit } = fault;

  // The process has ended; another one serves the same storage from here on.
  problems.push(...(await brokenInvariants(services, trial.known)));
  const done = await wasDone(trial, services).catch((error: unknown) => String(error));
  expect("the state", done, true, false);
  if (hit === null || kind === "is delayed") expect("the answer", first, "ok");
  else expect("the answer", first, "ok", "service_unavailable");
  if (first === "ok") expect("that the acknowledged change was made", done, true);
  else if (kind === "is unavailable") expect("that the refused request used something up", done, false);

  expect("the same request", outcomeOf(await trial.send(client)), done ? "already_used" : "ok");
  expect("the state after it", await wasDone(trial, services), true);
  expect("the same request once more", outcomeOf(await trial.send(client)), "already_used");
  expect("a new request", outcomeOf(await trial.sendFresh(client)), operation.afterwards);
  problems.push(
    ...(await brokenInvariants(services, trial.known)).map((broken) => `after repetition: ${broken}`),
  );
  return { hit, problems };
}

/** Sends the request to a service of which one call goes wrong, and ends that service. */
async function withFault(driver: Driver, storage: TestStorage, fault: Fault, trial: Trial): Promise<string> {
  await using faulty = await startService(driver, {
    storage,
    wrapStores: (stores) => interceptedStores(stores, fault.around),
  });
  return outcomeOf(await trial.send(faulty.client));
}

/** `ok` or the code of the error. */
export function outcomeOf(answer: Answer<unknown>): string {
  return answer.status < 300 ? "ok" : answer.code();
}

/**
 * Whether the request had its effect.
 *
 * @throws Error when it had some of it.
 */
export async function wasDone({ tokens, made }: Trial, services: Services): Promise<boolean> {
  const { challengeTokens, records } = services;
  const spent = await Promise.all(
    tokens.map(async (token) => {
      const { oneTime } = await challengeTokens.read(token, "keypair");
      return await records.isConsumed([oneTime]);
    }),
  );
  const [first = false] = spent;
  if (spent.some((other) => other !== first))
    throw new Error("some of the tokens are used up, others are not");
  if (made !== null && (await made(services)) !== first)
    throw new Error(
      first ? "the token is used up for nothing" : "the change is made, the token is not used up",
    );
  return first;
}
