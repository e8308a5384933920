/** Every operation, delayed before each of its store calls until a rival's request has its response. */
import type { Driver } from "../drivers.ts";
import { interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants, brokenInvariantsOfAll } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { CRASH_ENV, outcomeOf, wasDone } from "./crash-points.ts";
import { Fault } from "./faults.ts";
import { kindsOf, kindsWith, loggedOf } from "./logged-events.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { pooled, type Report } from "./report.ts";
import { RIVALS, type Rival } from "./rivals.ts";

const WIDTH = 6;
/** Operations after which another content is current. */
const REPLACING = new Set(["sync", "sync, which prunes a version", "restore-version"]);

/** Runs every combination of operation, rival and call on one storage. */
export async function runInterleavings(driver: Driver, operations = OPERATIONS): Promise<Report> {
  await using storage = await driver.environment();
  await using healthy = await startService(driver, { storage, env: CRASH_ENV });
  const series = operations.flatMap((operation) =>
    RIVALS.filter(({ on }) => on === operation.on).map((rival) => ({
      operation,
      rival,
    })),
  );
  const results = await pooled(series, WIDTH, async ({ operation, rival }) => {
    const failures: string[] = [];
    for (let at = 1; ; at++) {
      const { hit, problems } = await runOnce(driver, healthy, operation, rival, at);
      const where = `${operation.name}, delayed before call ${at} (${hit}) until ${rival.name}`;
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
    notes: { rivals: RIVALS.length },
  };
}

async function runOnce(driver: Driver, healthy: TestService, operation: Operation, rival: Rival, at: number) {
  const { client, services, storage } = healthy;
  const scenario = await operation.prepare(client);
  const rivalRequest = await rival.prepare(client, scenario.user);
  const { backupAccountId: backupId } = scenario.user.account;
  const before = await loggedOf(services, backupId);
  let rivalAnswer = "none";
  const fault = new Fault("is delayed", at, async () => {
    rivalAnswer = outcomeOf(await rivalRequest.act(client));
  });
  const delayed = await startService(driver, {
    storage,
    env: CRASH_ENV,
    wrapStores: (stores) => interceptedStores(stores, fault.around),
  });
  const answer = outcomeOf(await scenario.send(delayed.client));
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
  const [logged, due] = [kindsOf(await loggedOf(services, backupId, before)), kindsWith(before, ...happened)];
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
