/** Concurrent requests: the responses and the stored state must match the model in some order of the requests. */
import fc from "fast-check";
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import type { AppName } from "../support/apps.ts";
import { CampaignConditions, type MainKind } from "../support/campaign-conditions.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants } from "../support/invariants.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { batches, type Collect, type NewRequest, operationFor, type Replay, type Wait } from "./commands.ts";
import { createDevices, createPeople, type Devices } from "./devices.ts";
import {
  afterWaiting,
  brokenAtTheEnd,
  expectedOf,
  failuresOf,
  MINUTE_MS,
  MODEL_ENV,
  type ModelOptions,
  modelled,
  type Sent,
} from "./sequences.ts";
import { emptyWorld, type Outcome, type World } from "./world.ts";

interface Batch {
  readonly mainKinds: readonly MainKind[];
  readonly app: AppName;
  readonly opening: readonly NewRequest[];
  readonly before: readonly (NewRequest | Wait)[];
  readonly atOnce: readonly (NewRequest | Replay | Collect)[];
}

/** The errors of a request whose backup is deleted meanwhile: which one depends on how far the request has come. */
const GONE = ["backup_untraceable", "backup_missing", "unauthorized_factor", "backup_does_not_exist"];
/** These consume their proof beside what they read. */
const READS = ["retrieve", "retrieve-metadata", "verify-factor", "list-events"];
const MAX_ITERATIONS = 12;

/** Each case is a batch; the seed decides how its requests interleave. */
export async function runBatches(driver: Driver, options: ModelOptions): Promise<Report> {
  const iterations = pseudoRandom(options.seed);
  const clock = new SettableClock();
  await using conditions = new CampaignConditions(clock);
  await using service = await startService(driver, {
    env: { ...MODEL_ENV, ...conditions.envOfApps },
    clock,
    wrapStores: (stores) => interceptedStores(stores, interleaving(iterations, clock)),
  });
  let cases = 0;
  let reordered = 0;
  const property = fc.asyncProperty(batches, async (batch) => {
    cases++;
    const people = createPeople(conditions, batch.mainKinds);
    if (await runBatch(service, createDevices(service, conditions, people, batch.app), batch)) reordered++;
  });
  const failures = await failuresOf(property, options);
  failures.push(...(await brokenAtTheEnd(service)));
  return { cases, failures, played: conditions.played, notes: { "not in the order sent": reordered } };
}

/**
 * Sends the requests of a batch.
 *
 * @returns whether only an order other than that of sending matches the model.
 * @throws Error if no order does.
 */
async function runBatch(
  service: TestService,
  devices: Devices,
  { opening, before, atOnce }: Batch,
): Promise<boolean> {
  const history: Sent[] = [];
  let world = emptyWorld(service.clock.nowMs(), devices.mainModels);
  for (const command of [...opening, ...before]) {
    world = afterWaiting(service, world, command.op === "wait" ? command.minutes * MINUTE_MS : 1);
    if (command.op === "wait") continue;
    const sent = await prepared(command, world);
    const outcome = await sent.request.send();
    sent.succeeded = "ok" in outcome;
    world = expectedOf(world, { ...sent, succeeded: false }).world;
  }

  const started = afterWaiting(service, world, 1);
  const batch: Sent[] = [];
  for (const command of atOnce) {
    if (command.op === "collect") continue;
    const sent = command.op === "replay" ? history.at(-1 - command.nth) : await prepared(command, started);
    if (sent !== undefined) batch.push(sent);
  }
  const isCollecting = atOnce.some(({ op }) => op === "collect");
  const collecting = isCollecting ? collectLeftovers(service.services.stores) : null;
  const outcomes = await Promise.all(batch.map(({ request }) => request.send()));
  await collecting;
  await service.services.background.settled();
  const stored = comparable(await devices.stored());

  const found = findOrder(started, batch, outcomes, stored);
  if (found === null)
    throw new Error(
      `no order matches ${fc.stringify(batch.map(({ request }, index) => [request.op, outcomes[index]]))} ` +
        `from ${fc.stringify(modelled(started))} to ${fc.stringify(stored)}`,
    );
  const broken = await brokenInvariants(service.services.stores, devices.known);
  if (broken.length > 0) throw new Error(broken.join("; "));
  return found.some((place, index) => place !== index);

  async function prepared(command: NewRequest, now: World): Promise<Sent> {
    const sent = { request: await devices.prepare(operationFor(now, command), now), succeeded: false };
    history.push(sent);
    return sent;
  }
}

/** Searches for an order of the batch in which the model gives the same responses and ends in the same state. */
function findOrder(
  world: World,
  batch: readonly Sent[],
  outcomes: readonly Outcome[],
  stored: unknown,
): readonly number[] | null {
  const search = (
    worlds: readonly [World, ...World[]],
    done: readonly number[],
    succeeded: ReadonlySet<Sent["request"]>,
  ): readonly number[] | null => {
    const [now, ...earlier] = worlds;
    if (done.length === batch.length) return Bun.deepEquals(comparable(modelled(now)), stored) ? done : null;
    for (const [index, sent] of batch.entries()) {
      const outcome = outcomes[index];
      if (done.includes(index) || outcome === undefined) continue;
      const { request } = sent;
      const expectedIn = (one: World) =>
        expectedOf(one, { request, succeeded: sent.succeeded || succeeded.has(request) });
      const expected = expectedIn(now);
      // a recovery has read the backup before the commit that keeps its counter
      const isEarlier =
        request.op.op === "retrieve" &&
        request.shown > 0 &&
        "ok" in expected.outcome &&
        "ok" in outcome &&
        earlier.some((one) => Bun.deepEquals(outcome, expectedIn(one).outcome));
      const next = isOfTwins(index, now, succeeded)
        ? now
        : nextWorld(now, isEarlier ? { ...expected, outcome } : expected, outcome);
      if (next === null) continue;
      const order = search(
        [next, ...worlds],
        [...done, index],
        "ok" in outcome ? new Set([...succeeded, request]) : succeeded,
      );
      if (order !== null) return order;
    }
    return null;
  };
  return search([world], [], new Set());

  /**
   * Whether this is the error of a read that was sent twice at once. The other one had consumed the proof, and released it
   * when it failed; or it has read the backup, and consumes the proof after this one found the backup deleted.
   */
  function isOfTwins(index: number, now: World, succeeded: ReadonlySet<Sent["request"]>): boolean {
    const [request, outcome] = [batch[index]?.request, outcomes[index]];
    if (request === undefined || outcome === undefined || "ok" in outcome) return false;
    if (!READS.includes(request.op.op)) return false;
    if (outcome.code !== "already_used") {
      const alone = expectedOf(now, { request, succeeded: false }).outcome;
      return succeeded.has(request) && isGone(outcome.code) && "code" in alone && isGone(alone.code);
    }
    const others = outcomes.filter((_, place) => place !== index && batch[place]?.request === request);
    return others.some((other) => "code" in other && other.code !== "already_used");
  }
}

/** The state after a request with this outcome; `null` if the model has another outcome. */
function nextWorld(now: World, expected: { world: World; outcome: Outcome }, outcome: Outcome): World | null {
  if (Bun.deepEquals(outcome, expected.outcome)) return expected.world;
  const listed = eventsIn(outcome);
  const known = eventsIn(expected.outcome);
  // the log is read after the backup: it may have events of requests that come later in the order
  if (listed !== null && known !== null && hasAll(listed, known)) return expected.world;
  if ("ok" in outcome) return null;
  if (outcome.code === "conflicting_lock") return now; // its commit lost the race and changed nothing
  if (!("code" in expected.outcome)) return null;
  return isGone(outcome.code) && isGone(expected.outcome.code) ? now : null;
}

/** An undelete that another one has overtaken finds the id in use, or nothing that it could bring back. */
function isGone(code: string): boolean {
  return GONE.includes(code) || code === "backup_account_id_already_exists";
}

/** A recovery reads the backup before its event is in the log, so a list of events in between lacks it. */
function eventsIn(outcome: Outcome): readonly unknown[] | null {
  if (!("ok" in outcome) || typeof outcome.ok !== "object" || outcome.ok === null) return null;
  if (!("events" in outcome.ok) || !Array.isArray(outcome.ok.events)) return null;
  return outcome.ok.events.filter((kind) => kind !== "RECOVERED");
}

function hasAll(all: readonly unknown[], some: readonly unknown[]): boolean {
  const left = [...all];
  return some.every((event) => {
    const place = left.indexOf(event);
    return place >= 0 && left.splice(place, 1).length === 1;
  });
}

/** Tokens come in the order of the responses, which may differ from the order in which they were issued. */
function comparable<T extends { readonly usable: readonly boolean[] }>(state: T) {
  return { ...state, usable: state.usable.toSorted() };
}

/** Delays each call by some event loop iterations before and after it, and by a millisecond. */
function interleaving(next: () => number, clock: SettableClock): Interceptor {
  const someIterations = async () => {
    for (let count = next() % MAX_ITERATIONS; count > 0; count--)
      await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return async (_call, run) => {
    clock.advance(1);
    await someIterations();
    const result = await run();
    await someIterations();
    return result;
  };
}
