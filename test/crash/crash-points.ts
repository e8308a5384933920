/** Every operation, with every fault at every call that it makes to the stores. */
import type { Services } from "../../src/services.ts";
import type { Driver, TestStorage } from "../drivers.ts";
import type { ApiResponse } from "../support/api-client.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants, brokenInvariantsOfAll } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { FAULTS, Fault, type FaultKind } from "./faults.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { pooled, type Report } from "./report.ts";
import type { Scenario } from "./scenario.ts";

export interface CrashOptions {
  readonly faults?: readonly FaultKind[];
  readonly operations?: readonly Operation[];
}

/** How many operations run concurrently; each has its own backups. */
const WIDTH = 6;

/** Runs every combination of operation, fault and call on one storage. */
export async function runCrashPoints(
  driver: Driver,
  { faults = FAULTS, operations = OPERATIONS }: CrashOptions = {},
): Promise<Report> {
  await using storage = await driver.environment();
  await using healthy = await startService(driver, { storage });
  const setup: Setup = { driver, storage, healthy };
  const series = operations.flatMap((operation) => faults.map((kind) => ({ operation, kind })));
  const results = await pooled(series, WIDTH, ({ operation, kind }) => runCase(setup, operation, kind));
  const left = (await brokenInvariantsOfAll(healthy.services.stores)).map(
    (broken) => `at the end: ${broken}`,
  );
  return {
    cases: results.reduce((sum, { cases }) => sum + cases, 0),
    failures: [...results.flatMap(({ failures }) => failures), ...left],
    notes: { operations: operations.length, faults: faults.length },
  };
}

interface Setup {
  readonly driver: Driver;
  readonly storage: TestStorage;
  /** A service without faults. */
  readonly healthy: TestService;
}

/** Injects the fault at the first call, at the second, and so on until the operation makes no more calls. */
async function runCase(setup: Setup, operation: Operation, kind: FaultKind): Promise<Report> {
  const failures: string[] = [];
  for (let at = 1; ; at++) {
    const { hit, problems } = await runOnce(setup, operation, new Fault(kind, at), kind);
    failures.push(
      ...problems.map((problem) => `${operation.name}, ${kind} call ${at} (${hit ?? "none"}): ${problem}`),
    );
    if (hit === null) return { cases: at - 1, failures };
  }
}

async function runOnce(
  { driver, storage, healthy }: Setup,
  operation: Operation,
  fault: Fault,
  kind: FaultKind,
) {
  const { client, services } = healthy;
  const scenario = await operation.prepare(client);
  const problems: string[] = [];
  const expect = (what: string, found: unknown, ...expected: unknown[]) => {
    if (!expected.includes(found)) problems.push(`${what} is ${found}, not ${expected.join(" or ")}`);
  };

  const first = await withFault(driver, storage, fault, scenario);
  const { hit } = fault;

  // From here on another process serves the same storage.
  problems.push(...(await brokenInvariants(services.stores, scenario.known)));
  const done = await wasDone(scenario, services).catch((error: unknown) => String(error));
  expect("the state", done, true, false);
  if (hit === null || kind === "is delayed") expect("the response", first, "ok");
  else expect("the response", first, "ok", "service_unavailable");
  if (first === "ok") expect("whether the acknowledged change was made", done, true);
  else if (kind === "is unavailable") expect("whether the refused request took effect", done, false);

  expect("the same request", outcomeOf(await scenario.send(client)), done ? "already_used" : "ok");
  expect("the state after it", await wasDone(scenario, services), true);
  expect("the same request once more", outcomeOf(await scenario.send(client)), "already_used");
  expect("a new request", outcomeOf(await scenario.sendFresh(client)), operation.afterwards);
  problems.push(
    ...(await brokenInvariants(services.stores, scenario.known)).map(
      (broken) => `after repetition: ${broken}`,
    ),
  );
  return { hit, problems };
}

/** Sends the request to a service with the fault, and stops this service. */
async function withFault(
  driver: Driver,
  storage: TestStorage,
  fault: Fault,
  scenario: Scenario,
): Promise<string> {
  await using faulty = await startService(driver, {
    storage,
    wrapStores: (stores) => interceptedStores(stores, fault.around),
  });
  return outcomeOf(await scenario.send(faulty.client));
}

/** `ok` or the code of the error. */
export function outcomeOf(answer: ApiResponse<unknown>): string {
  return answer.status < 300 ? "ok" : answer.code();
}

/**
 * Whether the request took effect.
 *
 * @throws Error if it took effect partially.
 */
export async function wasDone({ tokens, made }: Scenario, services: Services): Promise<boolean> {
  const { challengeTokens, records } = services;
  const spent = await Promise.all(
    tokens.map(async (token) => {
      const { nonce } = await challengeTokens.read(token, "keypair");
      return records.isConsumed([nonce]);
    }),
  );
  const [first = false] = spent;
  if (spent.some((other) => other !== first))
    throw new Error("some of the nonces are consumed, others are not");
  if (made !== null && (await made(services)) !== first)
    throw new Error(
      first
        ? "the nonce is consumed, the change is not made"
        : "the change is made, the nonce is not consumed",
    );
  return first;
}
