/** Requests sent at once: some order of them must explain every answer and what is stored afterwards. */
import fc from "fast-check";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { type Interceptor, interceptedStores } from "../support/intercepted-stores.ts";
import { brokenInvariants } from "../support/invariants.ts";
import { startService, type TestService } from "../support/service.ts";
import { batches, type Command, meaningOf } from "./commands.ts";
import { createDevices } from "./devices.ts";
import { expectedOf, failuresOf, MODEL_ENV, type ModelOptions, modelled, type Sent } from "./sequences.ts";
import { emptyWorld, type Outcome, type World } from "./world.ts";

interface Batch {
  readonly before: readonly Exclude<Command, { op: "replay" | "wait" }>[];
  readonly atOnce: readonly Exclude<Command, { op: "wait" }>[];
}

/** Which of a factor's ways out it meets depends on how far it had come when the backup went. */
const GONE = ["backup_untraceable", "backup_missing", "unauthorized_factor", "backup_does_not_exist"];
const MAX_TURNS = 12;

/** Each case is a batch; where its requests interleave is decided by the seed. */
export async function runBatches(driver: Driver, options: ModelOptions): Promise<Report> {
  const turns = pseudoRandom(options.seed);
  await using service = await startService(driver, {
    env: MODEL_ENV,
    wrapStores: (stores) => interceptedStores(stores, interleaving(turns)),
  });
  let cases = 0;
  let overtaken = 0;
  const property = fc.asyncProperty(batches, async (batch) => {
    cases++;
    if (await playBatch(service, batch)) overtaken++;
  });
  const failures = await failuresOf(property, options);
  return { cases, failures, notes: { "not in the order sent": overtaken } };
}

/**
 * Plays a batch.
 *
 * @returns whether it takes another order than that of sending to explain what happened.
 * @throws Error when no order does.
 */
async function playBatch(service: TestService, { before, atOnce }: Batch): Promise<boolean> {
  const devices = createDevices(service);
  const history: Sent[] = [];
  let world = emptyWorld(service.clock.nowMs());
  for (const command of before) {
    const sent = await prepared(command, world);
    const outcome = await sent.request.send();
    sent.succeeded = "ok" in outcome;
    world = expectedOf(world, { ...sent, succeeded: false }).world;
  }

  const started = world;
  const batch: Sent[] = [];
  for (const command of atOnce) {
    const sent = command.op === "replay" ? history.at(-1 - command.nth) : await prepared(command, started);
    if (sent !== undefined) batch.push(sent);
  }
  const outcomes = await Promise.all(batch.map(({ request }) => request.send()));
  await service.services.background.settled();
  const stored = comparable(await devices.stored());

  const found = explained(started, batch, outcomes, stored);
  if (found === null)
    throw new Error(
      `no order explains ${fc.stringify(batch.map(({ request }, index) => [request.op, outcomes[index]]))} ` +
        `from ${fc.stringify(modelled(started))} to ${fc.stringify(stored)}`,
    );
  const broken = await brokenInvariants(service.services, devices.known);
  if (broken.length > 0) throw new Error(broken.join("; "));
  return found.some((place, index) => place !== index);

  async function prepared(command: Batch["before"][number], now: World): Promise<Sent> {
    const sent = { request: await devices.prepare(meaningOf(now, command), now), succeeded: false };
    history.push(sent);
    return sent;
  }
}

/** Searches an order of the batch in which the model answers the same and ends in the same state. */
function explained(
  world: World,
  batch: readonly Sent[],
  outcomes: readonly Outcome[],
  stored: unknown,
): readonly number[] | null {
  const search = (
    now: World,
    done: readonly number[],
    succeeded: ReadonlySet<Sent["request"]>,
  ): readonly number[] | null => {
    if (done.length === batch.length) return Bun.deepEquals(comparable(modelled(now)), stored) ? done : null;
    for (const [index, sent] of batch.entries()) {
      const outcome = outcomes[index];
      if (done.includes(index) || outcome === undefined) continue;
      const { request } = sent;
      const expected = expectedOf(now, { request, succeeded: sent.succeeded || succeeded.has(request) });
      const next = nextWorld(now, expected, outcome);
      if (next === null) continue;
      const order = search(
        next,
        [...done, index],
        "ok" in outcome ? new Set([...succeeded, request]) : succeeded,
      );
      if (order !== null) return order;
    }
    return null;
  };
  return search(world, [], new Set());
}

/** The state after a request that was answered like this; `null` when the model answers otherwise. */
function nextWorld(now: World, expected: { world: World; outcome: Outcome }, outcome: Outcome): World | null {
  if (Bun.deepEquals(outcome, expected.outcome)) return expected.world;
  if ("ok" in outcome) return null;
  if (outcome.code === "conflicting_lock") return now; // it lost while it committed, and changed nothing
  if (!("code" in expected.outcome)) return null;
  return GONE.includes(outcome.code) && GONE.includes(expected.outcome.code) ? now : null;
}

/** Tokens come in the order of the answers, which need not be that in which they were issued. */
function comparable<T extends { readonly usable: readonly boolean[] }>(state: T) {
  return { ...state, usable: state.usable.toSorted() };
}

/** Lets each call take some turns of the event loop before and after it. */
function interleaving(next: () => number): Interceptor {
  const someTurns = async () => {
    for (let turn = next() % MAX_TURNS; turn > 0; turn--)
      await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return async (_call, run) => {
    await someTurns();
    const result = await run();
    await someTurns();
    return result;
  };
}

/** Whole numbers from a seed (mulberry32). */
export function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
