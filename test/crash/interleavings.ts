/** Every operation, delayed before each of its store calls until a rival's request has its response. */
import type { Driver } from "../drivers.ts";
import { CampaignConditions, MAIN_KINDS, type MainKind } from "../support/campaign-conditions.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants, brokenInvariantsOfAll } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { CRASH_ENV, kindsFor, outcomeOf, settingOf, wasDone } from "./crash-points.ts";
import { Fault } from "./faults.ts";
import { kindsOf, kindsWith, loggedOf } from "./logged-events.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { pooled, type Report } from "./report.ts";
import { RIVALS, type Rival } from "./rivals.ts";

const WIDTH = 6;
/** Operations after which another content is current. */
const REPLACING = new Set(["sync", "sync, which prunes a version", "restore-version"]);

const SYNCHRONISED: MainKind = "synchronised passkey that counts";
/** A rival may use the main factor first. A passkey on one device is refused then, as its counter went back. */
const KINDS = MAIN_KINDS.filter((kind) => kind !== "passkey that counts");

export interface InterleavingOptions {
  readonly operations?: readonly Operation[];
  /** As for the crash points. */
  readonly everyKind?: boolean;
}

/** Runs every combination of operation, rival and call on one storage. */
export async function runInterleavings(
  driver: Driver,
  { operations = OPERATIONS, everyKind = false }: InterleavingOptions = {},
): Promise<Report> {
  await using storage = await driver.environment();
  const clock = new SettableClock();
  await using conditions = new CampaignConditions(clock);
  const env = { ...CRASH_ENV, ...conditions.env };
  await using healthy = await startService(driver, { storage, env, clock });
  const setup: Setup = { driver, env, healthy, conditions, played: new Set() };
  const series = operations
    .flatMap((operation) =>
      RIVALS.filter(({ on, notWith }) => on === operation.on && notWith !== operation.name).map((rival) => ({
        operation,
        rival,
      })),
    )
    .flatMap((one, index) =>
      kindsFor(one.operation, index, everyKind, KINDS).map((mainKind) => ({ ...one, mainKind })),
    );
  const results = await pooled(series, WIDTH, async (one) => {
    const { operation, rival, mainKind } = one;
    const failures: string[] = [];
    for (let at = 1; ; at++) {
      const { hit, problems } = await runOnce(setup, one, at);
      const where = `${operation.name} with a ${mainKind}, delayed before call ${at} (${hit}) until ${rival.name}`;
      if (hit === null) return { cases: at - 1, failures };
      failures.push(...problems.map((problem) => `${where}: ${problem}`));
    }
  });
  const left = (await brokenInvariantsOfAll(healthy.services.stores)).map(
    (broken) => `at the end: ${broken}`,
  );
  return {
    cases: results.reduce((sum, { cases }) => sum + cases, 0),
    failures: [...results.flatMap(({ failures }) => failures), ...left],
    played: setup.played,
    notes: { rivals: RIVALS.length, "kinds of main factors": KINDS.length },
  };
}

interface Setup {
  readonly driver: Driver;
  readonly env: Readonly<Record<string, string>>;
  readonly healthy: TestService;
  readonly conditions: CampaignConditions;
  /** The paths of delayed requests that succeeded. */
  readonly played: Set<string>;
}

interface Series {
  readonly operation: Operation;
  readonly rival: Rival;
  readonly mainKind: MainKind;
}

async function runOnce(setup: Setup, { operation, rival, mainKind }: Series, at: number) {
  const { driver, env, healthy, conditions, played } = setup;
  const { services, storage } = healthy;
  const setting = settingOf(setup, mainKind);
  const scenario = await operation.prepare(setting);
  const rivalRequest = await rival.prepare(setting, scenario.user);
  const { backupAccountId: backupId } = scenario.user.account;
  const before = await loggedOf(services, backupId);
  let rivalAnswer = "none";
  const fault = new Fault("is delayed", at, async () => {
    rivalAnswer = outcomeOf(await rivalRequest.act(setting.client));
  });
  const delayed = await startService(driver, {
    storage,
    env,
    wrapStores: (stores) => interceptedStores(stores, fault.around),
  });
  const answer = outcomeOf(await scenario.send(conditions.newClient(delayed.url, { played })));
  await delayed[Symbol.asyncDispose]();

  const problems = await brokenInvariants(services.stores, scenario.known);
  if (answer !== "ok" && !rival.refusals(operation.name).includes(answer))
    problems.push(`it was answered ${answer}`);
  if (fault.hit === null) return { hit: null, problems };
  if (rival.endsBackup) {
    const isUndone = answer === "ok" || rivalAnswer !== "ok";
    if (!isUndone && !(await rivalRequest.holds(services)))
      problems.push("it was refused, and the rival's acknowledged change is not stored");
    return { hit: fault.hit, problems };
  }

  const isReset = answer === "ok" && operation.leaves.includes("RESET"); // a log that was made meanwhile is gone
  const happened = [
    ...(answer === "ok" ? operation.leaves : []),
    ...(rivalAnswer === "ok" ? rival.leaves : []),
  ];
  const found = kindsOf(await loggedOf(services, backupId, before));
  // a rival that used the passkey first has the higher counter
  const logged = mainKind === SYNCHRONISED ? found.replace(" SIGNATURE_COUNTER_WENT_BACK", "") : found;
  const due = kindsWith(before, ...happened);
  if (logged !== due && !isReset) problems.push(`the log has ${logged}, not ${due}`);
  const made = rival.sameAs === operation.name ? null : scenario.made;
  const done = await wasDone({ ...scenario, made }, services).catch((error: unknown) => String(error));
  if (done !== (answer === "ok"))
    problems.push(`it was answered ${answer}, and whether it was done: ${done}`);
  const ended = (await services.records.read(backupId)) === null;
  const replaced = REPLACING.has(operation.name) && answer === "ok";
  if (rivalAnswer === "ok" && !ended && !replaced && !(await rivalRequest.holds(services)))
    problems.push("the rival's acknowledged change is not stored");
  return { hit: fault.hit, problems };
}
