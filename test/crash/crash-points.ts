/** Every operation, with every fault at every call that it makes to the stores. */
import type { Services } from "../../src/services.ts";
import type { Driver, TestStorage } from "../drivers.ts";
import type { ApiResponse } from "../support/api-client.ts";
import { CampaignConditions, MAIN_KINDS, type MainKind } from "../support/campaign-conditions.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { startReceiver } from "../webhooks/receivers.ts";
import { brokenAfterMonths } from "./aftermath.ts";
import { FAULTS, Fault, type FaultKind } from "./faults.ts";
import {
  delivered,
  type ExpectedDelivery,
  kindsOf,
  kindsWith,
  loggedOf,
  wrongDeliveries,
} from "./logged-events.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { pooled, type Report } from "./report.ts";
import type { Scenario, Setting } from "./scenario.ts";

export interface CrashOptions {
  readonly faults?: readonly FaultKind[];
  readonly operations?: readonly Operation[];
  /** Whether operations that concern the main factor run with each kind of it. Otherwise each case has one, in rotation. */
  readonly everyKind?: boolean;
}

/** How many operations run concurrently; each has its own backups. */
const WIDTH = 6;

/** Runs every combination of operation, fault and call on one storage. */
export async function runCrashPoints(
  driver: Driver,
  { faults = FAULTS, operations = OPERATIONS, everyKind = false }: CrashOptions = {},
): Promise<Report> {
  await using storage = await driver.environment();
  await using receiver = startReceiver();
  const clock = new SettableClock();
  await using conditions = new CampaignConditions(clock);
  const env = { ...CRASH_ENV, ...conditions.env, ...webhookEnv(receiver.url) };
  const healthy = await startService(driver, { storage, env, clock });
  const setup: Setup = { driver, storage, env, healthy, conditions, deliveries: [], played: new Set() };
  const series = operations
    .flatMap((operation) => faults.map((fault) => ({ operation, fault })))
    .flatMap((one, index) =>
      kindsFor(one.operation, index, everyKind).map((mainKind) => ({ ...one, mainKind })),
    );
  const results = await pooled(series, WIDTH, (one) => runCase(setup, one));
  await delivered(healthy);
  await healthy[Symbol.asyncDispose]();
  const left = [
    ...wrongDeliveries(receiver.received, setup.deliveries),
    ...(await brokenAfterMonths(storage)),
  ].map((broken) => `at the end: ${broken}`);
  return {
    cases: results.reduce((sum, { cases }) => sum + cases, 0),
    failures: [...results.flatMap(({ failures }) => failures), ...left],
    played: setup.played,
    notes: {
      operations: operations.length,
      faults: faults.length,
      "kinds of main factors": new Set(series.map(({ mainKind }) => mainKind)).size,
    },
  };
}

interface Series {
  readonly operation: Operation;
  readonly fault: FaultKind;
  readonly mainKind: MainKind;
}

interface Setup {
  readonly driver: Driver;
  readonly storage: TestStorage;
  readonly env: Readonly<Record<string, string>>;
  /** A service without faults. */
  readonly healthy: TestService;
  readonly conditions: CampaignConditions;
  /** What the webhook must have received at the end. */
  readonly deliveries: ExpectedDelivery[];
  /** The paths of requests that met faults, and succeeded where they met none. */
  readonly played: Set<string>;
}

/** Few versions, so that each update prunes one. */
export const CRASH_ENV = { VERSIONS_KEEP_LAST: "1", VERSIONS_KEEP_DAYS: "0" };

function webhookEnv(url: string) {
  const WEBHOOK_SECRETS = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
  return { APP_ENV: "development", WEBHOOK_URL: url, WEBHOOK_SECRETS };
}

/** Injects the fault at the first call, at the second, and so on until the operation makes no more calls. */
async function runCase(setup: Setup, series: Series): Promise<Report> {
  const failures: string[] = [];
  for (let at = 1; ; at++) {
    const { hit, problems } = await runOnce(setup, series, at);
    const { operation, fault, mainKind } = series;
    const where = `${operation.name} with a ${mainKind}, ${fault} call ${at} (${hit ?? "none"})`;
    failures.push(...problems.map((problem) => `${where}: ${problem}`));
    if (hit === null) return { cases: at - 1, failures };
  }
}

async function runOnce(setup: Setup, { operation, fault: kind, mainKind }: Series, at: number) {
  const fault = new Fault(kind, at);
  const { services } = setup.healthy;
  const setting = settingOf(setup, mainKind);
  const { client } = setting;
  const scenario = await operation.prepare(setting);
  const problems: string[] = [];
  const expect = (what: string, found: unknown, ...expected: unknown[]) => {
    if (!expected.includes(found)) problems.push(`${what} is ${found}, not ${expected.join(" or ")}`);
  };

  const { backupAccountId: backupId } = scenario.user.account;
  const before = await loggedOf(services, backupId);

  const first = await withFault(setup, fault, scenario);
  const { hit } = fault;

  // From here on another process serves the same storage.
  problems.push(...(await brokenInvariants(services.stores, scenario.known)));
  const isDone = () => wasDone(scenario, services).catch((error: unknown) => String(error));
  const done = await isDone();
  expect("the state", done, true, false);
  if (hit === null || kind === "is delayed") expect("the response", first, "ok");
  else expect("the response", first, "ok", "service_unavailable");
  if (first === "ok") expect("whether the acknowledged change was made", done, true);
  else if (kind === "is unavailable") expect("whether the refused request took effect", done, false);

  const logged = async () => kindsOf(await loggedOf(services, backupId, before));
  expect("the log", await logged(), kindsWith(before, ...(done === true ? operation.leaves : [])));

  expect("the same request", outcomeOf(await scenario.send(client)), done ? "already_used" : "ok");
  expect("the state after it", await isDone(), true);
  expect("the same request once more", outcomeOf(await scenario.send(client)), "already_used");
  expect("the log after repetition", await logged(), kindsWith(before, ...operation.leaves));
  expect("a new request", outcomeOf(await scenario.sendFresh(client)), operation.afterwards);
  problems.push(
    ...(await brokenInvariants(services.stores, scenario.known)).map(
      (broken) => `after repetition: ${broken}`,
    ),
  );
  setup.deliveries.push({
    backupId,
    eventIds: (await loggedOf(services, backupId, before)).events.map(({ id }) => id),
    resets: operation.leaves.filter((event) => event === "RESET").length,
  });
  return { hit, problems };
}

/** Sends the request to a service with the fault, and stops this service. */
async function withFault(
  { driver, storage, env, conditions, played }: Setup,
  fault: Fault,
  scenario: Scenario,
): Promise<string> {
  await using faulty = await startService(driver, {
    storage,
    env,
    wrapStores: (stores) => interceptedStores(stores, fault.around),
  });
  return outcomeOf(await scenario.send(conditions.newClient(faulty.url, { played })));
}

/** The kinds of main factors with which an operation runs; the `index` of a series chooses where one is enough. */
export function kindsFor(
  { concernsMain }: Operation,
  index: number,
  everyKind: boolean,
  kinds: readonly MainKind[] = MAIN_KINDS,
): readonly MainKind[] {
  return everyKind && concernsMain ? kinds : kinds.slice(index % kinds.length).slice(0, 1);
}

/** A setting on the service without faults, with a client of its own. */
export function settingOf(
  { healthy, conditions }: { readonly healthy: TestService; readonly conditions: CampaignConditions },
  mainKind: MainKind,
): Setting {
  const { url, clock } = healthy;
  return { client: conditions.newClient(url), clock, newMain: () => conditions.newMain(mainKind) };
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
      const { nonce } = await challengeTokens
        .read(token, "keypair")
        .catch(() => challengeTokens.read(token, "passkey"));
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
