/** Random changes of deleted states, logs, outbox and collections, compared with a model in memory after each of them. */
import { isDeepStrictEqual } from "node:util";
import { systemRandom } from "../../src/runtime/clock.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import {
  blobsOf,
  type Change,
  COLLECTED_AFTER_MS,
  type Consumption,
  type DeletedBackup,
  type NewEvent,
  type StoredEvent,
} from "../../src/storage/contract.ts";
import type { QueuedEvent } from "../../src/storage/outbox.ts";
import type { Report } from "../crash/report.ts";
import type { Driver } from "../drivers.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { collect, deletedOf, type Fixture, kept, openFixture, record, uuidOf, version } from "./fixture.ts";

const BACKUPS = ["b1", "b2", "b3"];
const LOGS = ["log1", "log2"].map(uuidOf);
const MINUTE_MS = 60_000;

interface Row {
  readonly backupId: string;
  readonly dueMs: number;
  /** What is to be deleted; `null` until a deleted state is taken. */
  blobs: readonly string[] | null;
  readonly state: DeletedBackup | null;
  readonly logIds: readonly string[];
}

type Logged = StoredEvent & Pick<NewEvent, "logId" | "expiresAtMs">;

/** What the store must hold. */
class Model {
  /** The labels of the records. */
  readonly records = new Map<string, string>();
  readonly kept = new Map<string, DeletedBackup[]>(BACKUPS.map((id) => [id, []]));
  events: Logged[] = [];
  outbox: QueuedEvent[] = [];
  rows: Row[] = [];

  statesOf(backupId: string): DeletedBackup[] {
    return this.kept.get(backupId) ?? [];
  }

  remove(backupId: string, gone: readonly DeletedBackup[]): void {
    const ids = new Set(gone.map(({ deletionId }) => deletionId));
    this.kept.set(
      backupId,
      this.statesOf(backupId).filter(({ deletionId }) => !ids.has(deletionId)),
    );
  }

  append(events: readonly NewEvent[]): void {
    for (const { deliverFromMs, logId, expiresAtMs, ...event } of events) {
      if (logId !== null) this.events.push({ ...event, logId, expiresAtMs });
      if (deliverFromMs !== null) this.outbox.push({ event, attempts: 0, dueMs: deliverFromMs });
    }
  }

  release(events: readonly NewEvent[]): void {
    const ids = new Set(events.map(({ id }) => id));
    this.events = this.events.filter(({ id }) => !ids.has(id));
    this.outbox = this.outbox.filter(({ event, attempts }) => attempts > 0 || !ids.has(event.id));
  }
}

/** @param steps how many changes are made. */
export async function runHistoryModel(
  { environment }: Driver,
  { steps, seed }: { readonly steps: number; readonly seed: number },
): Promise<Report> {
  await using store = await openFixture(environment);
  const run = new Run(store, pseudoRandom(seed));
  for (let step = 1; step <= steps; step++) {
    const { name, problems } = await run.step();
    const failures = problems.map((problem) => `seed ${seed}, step ${step} (${name}): ${problem}`);
    if (failures.length > 0) return { cases: step, failures };
  }
  return { cases: steps, failures: [], notes: Object.fromEntries(run.made) };
}

interface Outcome {
  readonly name: string;
  readonly expected: unknown;
  readonly found: unknown;
}

class Run {
  readonly made = new Map<string, number>();
  readonly #store: Fixture;
  readonly #random: () => number;
  readonly #model = new Model();
  readonly #consumptions: { readonly consumption: Consumption; readonly events: readonly NewEvent[] }[] = [];
  #serial = 0;

  constructor(store: Fixture, random: () => number) {
    this.#store = store;
    this.#random = random;
  }

  async step(): Promise<{ name: string; problems: string[] }> {
    const act = this.#pick([
      this.#create,
      this.#create,
      this.#delete,
      this.#delete,
      this.#bringBack,
      this.#bringBack,
      this.#forget,
      this.#consume,
      this.#release,
      this.#claim,
      this.#settleEvent,
      this.#collectOne,
      this.#passTime,
    ]);
    const { name, expected, found } = await act.call(this);
    if (found === "committed" || expected === null) this.made.set(name, (this.made.get(name) ?? 0) + 1);
    const differences = await this.#differences();
    if (!isDeepStrictEqual(found, expected))
      differences.unshift(`the outcome is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
    return { name, problems: differences };
  }

  async #create(): Promise<Outcome> {
    const backupId = this.#pick(BACKUPS);
    const label = `${this.#serial++}`;
    const events = this.#events(backupId);
    const next = { ...record(label), versions: [version(`${label} before`)] };
    const change: Change = { backupId, expect: "absent", next, events };
    const expected = this.#model.records.has(backupId) ? "exists" : "committed";
    if (expected === "committed") {
      this.#model.records.set(backupId, label);
      this.#model.append(events);
    }
    return { name: "create", expected, found: await this.#store.records.commit(change) };
  }

  async #delete(): Promise<Outcome> {
    const { records, clock } = this.#store;
    const backupId = this.#pick(BACKUPS);
    const stored = await records.read(backupId);
    const revision = stored?.revision ?? uuidOf("none");
    const label = `${this.#serial++}`;
    const keepUntilMs = clock.nowMs() + (1 + this.#below(3)) * MINUTE_MS;
    const logId = this.#pick([null, ...LOGS]);
    const { blob, metadata, versions } = stored ?? record(label);
    const state = { ...kept(label, clock), blob, metadata, versions, keepUntilMs, logId };
    const events = this.#events(backupId);
    const isKept = this.#below(4) > 0;
    const leftovers = { blobs: blobsOf(state), logIds: logId === null ? [] : [logId] };
    const change: Change = { backupId, expect: { revision }, next: null, events };
    const expected = stored === null ? "revision" : "committed";
    const found = await records.commit({
      ...change,
      ...(isKept ? { setAside: state } : { collect: leftovers }),
    });
    if (stored === null) return { name: "delete", expected, found };
    this.#model.records.delete(backupId);
    this.#model.append(events);
    const { logIds } = leftovers;
    if (isKept) {
      this.#model.statesOf(backupId).push(state);
      const dueMs = keepUntilMs + COLLECTED_AFTER_MS;
      this.#model.rows.push({ backupId, dueMs, blobs: null, state, logIds });
    } else this.#collectLater(backupId, [state], logIds);
    return { name: isKept ? "delete, kept" : "delete for good", expected, found };
  }

  async #bringBack(): Promise<Outcome> {
    const { records, clock } = this.#store;
    const backupId = this.#pick(BACKUPS);
    const states = this.#model.statesOf(backupId);
    const known = this.#pick([...states, kept("never", clock)]);
    const isKept = states.includes(known) && known.keepUntilMs > clock.nowMs();
    const exists = this.#model.records.has(backupId);
    const expected = exists ? "exists" : isKept ? "committed" : "not-kept";
    if (expected === "committed") {
      this.#model.records.set(backupId, String(known.metadata.label));
      this.#model.remove(backupId, [known]);
    }
    const change: Change = { backupId, expect: "absent", next: known, bringBack: known };
    return { name: "bring back", expected, found: await records.commit(change) };
  }

  async #forget(): Promise<Outcome> {
    const { records, clock } = this.#store;
    const backupId = this.#pick(BACKUPS);
    const stored = await records.read(backupId);
    const forget = this.#model.statesOf(backupId).filter(() => this.#below(2) === 0);
    const lacking = this.#below(5) === 0 ? [kept("never", clock)] : [];
    const expected = lacking.length === 0 ? "committed" : "not-kept";
    const blobs = forget.flatMap(blobsOf);
    const leftovers = blobs.length === 0 ? {} : { collect: { blobs, logIds: [] } };
    const found = await records.commit({
      backupId,
      expect: stored ?? "absent",
      next: stored,
      forget: [...forget, ...lacking],
      ...leftovers,
    });
    if (expected === "committed") {
      this.#model.remove(backupId, forget);
      if (blobs.length > 0) this.#collectLater(backupId, forget, []);
    }
    return { name: "forget", expected, found };
  }

  async #consume(): Promise<Outcome> {
    const { records, clock } = this.#store;
    const events = this.#events("b1");
    const nonce = { id: `n${this.#serial++}`, expiresAtMs: clock.nowMs() + MINUTE_MS };
    const consumption = await records.consume([nonce], undefined, events);
    this.#model.append(events);
    if (consumption !== null) this.#consumptions.push({ consumption, events });
    return { name: "consume", expected: true, found: consumption !== null };
  }

  async #release(): Promise<Outcome> {
    const last = this.#consumptions.pop();
    await last?.consumption.release();
    this.#model.release(last?.events ?? []);
    return { name: "release", expected: null, found: null };
  }

  async #claim(): Promise<Outcome> {
    const { records, clock } = this.#store;
    const [queued] = this.#dueEvents();
    const nextMs = clock.nowMs() + (1 + this.#below(3)) * MINUTE_MS;
    if (queued === undefined) return { name: "claim", expected: [], found: await records.outbox.due(1) };
    const claimed = { ...queued, attempts: queued.attempts + 1, dueMs: nextMs };
    const found = await records.outbox.claim(queued, nextMs);
    this.#model.outbox = this.#model.outbox.map((other) => (other === queued ? claimed : other));
    const again = await records.outbox.claim(queued, nextMs);
    return { name: "claim", expected: [claimed, null], found: [found, again] };
  }

  async #settleEvent(): Promise<Outcome> {
    const claimed = this.#model.outbox.find(({ attempts }) => attempts > 0);
    if (claimed !== undefined) await this.#store.records.outbox.settle(claimed);
    this.#model.outbox = this.#model.outbox.filter((other) => other !== claimed);
    return { name: "settle an event", expected: null, found: null };
  }

  /** Takes what is due, and leaves it so now and then, as a crash does. */
  async #collectOne(): Promise<Outcome> {
    const { collection } = this.#store.records;
    const due = this.#pick([...(await collection.due(100)), null]);
    if (due === null) return { name: "collect", expected: null, found: null };
    const taken = (await collection.take(due)).map(({ key }) => key).toSorted();
    // rows of one backup and time differ in what they name
    const row = this.#model.rows.find(
      ({ backupId, dueMs, ...candidate }) =>
        backupId === due.backupId &&
        dueMs === due.dueMs &&
        isDeepStrictEqual(this.#toTake({ backupId, dueMs, ...candidate }), taken),
    );
    if (row === undefined) return { name: "collect", expected: "a row of the model", found: taken };
    const isTaken = row.blobs !== null;
    const isKept = row.state !== null && this.#model.statesOf(row.backupId).includes(row.state);
    if (!isTaken && row.state !== null && isKept) {
      this.#model.remove(row.backupId, [row.state]);
      row.blobs = taken;
    }
    if (isTaken || isKept)
      this.#model.events = this.#model.events.filter(({ logId }) => !row.logIds.includes(logId ?? ""));
    if (this.#below(3) > 0) {
      await collection.settle(due);
      this.#model.rows = this.#model.rows.filter((other) => other !== row);
    }
    return { name: "collect", expected: null, found: null };
  }

  async #passTime(): Promise<Outcome> {
    const pauses = [1, 1, 1, MINUTE_MS, MINUTE_MS, COLLECTED_AFTER_MS];
    this.#store.clock.advance(this.#pick(pauses));
    return { name: "time passes", expected: null, found: null };
  }

  #toTake({ backupId, blobs, state }: Row): readonly string[] {
    if (blobs !== null) return blobs;
    if (state === null || !this.#model.statesOf(backupId).includes(state)) return [];
    return keysOf([state]);
  }

  #collectLater(backupId: string, states: readonly DeletedBackup[], logIds: readonly string[]): void {
    const dueMs = this.#store.clock.nowMs();
    this.#model.rows.push({ backupId, dueMs, blobs: keysOf(states), state: null, logIds });
  }

  /** Up to three events, in any logs, some of them to be delivered. */
  #events(backupId: string): NewEvent[] {
    const { clock } = this.#store;
    return Array.from({ length: this.#below(4) }, () => {
      const atMs = clock.nowMs();
      const delayMs = this.#pick([null, 0, MINUTE_MS]);
      return {
        id: timeOrderedId(atMs, this.#serial++ % 4096, systemRandom),
        logId: this.#pick([null, ...LOGS]),
        backupId,
        atMs,
        expiresAtMs: atMs + (1 + this.#below(5)) * MINUTE_MS,
        body: { serial: this.#serial },
        deliverFromMs: delayMs === null ? null : atMs + delayMs,
      };
    });
  }

  #dueEvents(): QueuedEvent[] {
    const nowMs = this.#store.clock.nowMs();
    return this.#model.outbox
      .filter(({ dueMs }) => dueMs <= nowMs)
      .toSorted((a, b) => a.dueMs - b.dueMs || (a.event.id < b.event.id ? -1 : 1));
  }

  /** Everything that the store shows, compared with the model. */
  async #differences(): Promise<string[]> {
    const { records, clock } = this.#store;
    const nowMs = clock.nowMs();
    const model = this.#model;
    const problems: string[] = [];
    const expectSame = (what: string, found: unknown, expected: unknown) => {
      if (!isDeepStrictEqual(found, expected))
        problems.push(`${what}: found ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
    };
    for (const backupId of BACKUPS) {
      const label = (await records.read(backupId))?.metadata.label;
      expectSame(`the record ${backupId}`, label, model.records.get(backupId));
      const states = model.statesOf(backupId).filter(({ keepUntilMs }) => keepUntilMs > nowMs);
      expectSame(`the states of ${backupId}`, await deletedOf(records, backupId), states.toSorted(later));
    }
    for (const logId of LOGS) {
      const expected = model.events
        .filter((event) => event.logId === logId && event.expiresAtMs > nowMs)
        .toSorted((a, b) => (a.id < b.id ? 1 : -1))
        .map(({ id, backupId, atMs, body }) => ({ id, backupId, atMs, body }));
      const found: StoredEvent[] = [];
      for (let before: string | null = null; ; ) {
        const page: EventPage = await records.readEvents(logId, { before, limit: 5 });
        found.push(...page.events);
        before = page.next;
        if (before === null) break;
      }
      expectSame(`the log ${logId}`, found, expected);
    }
    expectSame("what is due to be delivered", await records.outbox.due(1_000), this.#dueEvents());
    expectSame("the backlog", (await records.outbox.backlog()).waiting, model.outbox.length);
    const due = (await records.collection.due(1_000)).map(({ backupId, dueMs }) => `${dueMs} ${backupId}`);
    const rows = model.rows.filter(({ dueMs }) => dueMs <= nowMs);
    const expected = rows.map(({ backupId, dueMs }) => `${dueMs} ${backupId}`);
    expectSame("what is due to be collected", due.toSorted(), expected.toSorted());
    const listed = (await collect(records.listDeleted())).flatMap((deletion) =>
      deletion.blobs.map(({ key }) => `${deletion.backupId} ${deletion.kept?.deletionId ?? null} ${key}`),
    );
    const referred = [
      ...BACKUPS.flatMap((backupId) =>
        model
          .statesOf(backupId)
          .flatMap((state) => keysOf([state]).map((key) => `${backupId} ${state.deletionId} ${key}`)),
      ),
      ...model.rows.flatMap(({ backupId, blobs }) => (blobs ?? []).map((key) => `${backupId} null ${key}`)),
    ];
    expectSame("the listed blobs", listed.toSorted(), referred.toSorted());
    return problems;
  }

  #below(limit: number): number {
    return this.#random() % limit;
  }

  #pick<T>(items: readonly [T, ...T[]] | readonly T[]): T {
    const item = items[this.#below(items.length)];
    if (item === undefined) throw new Error("there is nothing to pick from");
    return item;
  }
}

type EventPage = Awaited<ReturnType<Fixture["records"]["readEvents"]>>;

function keysOf(states: readonly DeletedBackup[]): string[] {
  return states.flatMap((state) => blobsOf(state).map(({ key }) => key)).toSorted();
}

function later(a: DeletedBackup, b: DeletedBackup): number {
  return b.deletedAtMs - a.deletedAtMs || (a.deletionId < b.deletionId ? 1 : -1);
}
