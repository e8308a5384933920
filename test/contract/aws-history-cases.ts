/** As aws-fault-cases.ts, of what keeps deleted states, events, deliveries and collections. */
import { systemRandom } from "../../src/runtime/clock.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";
import type { Change, DeletedBackup, NewEvent } from "../../src/storage/contract.ts";
import type { InspectableRecords } from "../../src/storage/inspection.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import type { FaultCase, Prepared } from "./aws-fault-cases.ts";
import { collect, create, labelOf, MINUTE_MS, once, record, version } from "./fixture.ts";

/** More rows than the cases make at a time. */
const MANY = 1_000;
const HOUR_MS = 60 * MINUTE_MS;

function stateOf(label: string, clock: SettableClock, keepUntilMs = clock.nowMs() + HOUR_MS): DeletedBackup {
  return {
    ...record(label),
    versions: [version(`${label} version`)],
    deletionId: crypto.randomUUID(),
    deletedAtMs: clock.nowMs(),
    keepUntilMs,
    deletedBy: "factor",
    logId: `${label} log`,
  };
}

function eventOf(backupId: string, logId: string, clock: SettableClock): NewEvent {
  const atMs = clock.nowMs();
  const id = timeOrderedId(atMs, 0, systemRandom);
  const body = { kind: "CREATED" };
  return { id, backupId, atMs, body, logId, expiresAtMs: atMs + HOUR_MS, deliverFromMs: atMs };
}

async function queued(records: InspectableRecords, backupId: string) {
  const due = await records.outbox.due(MANY);
  return due.filter(({ event }) => event.backupId === backupId);
}

async function collections(records: InspectableRecords, backupId: string) {
  const due = await records.collection.due(MANY);
  return due.filter((each) => each.backupId === backupId);
}

/** Everything of the history table that a case of `id` may change. */
function historyOf(id: string) {
  return async (records: InspectableRecords) => ({
    label: await labelOf(records, id),
    kept: (await records.readDeleted(id)).map(({ metadata }) => metadata.label),
    listed: (await collect(records.listDeleted()))
      .filter(({ backupId }) => backupId === id)
      .map(({ kept, blobs }) => [kept !== null, blobs.length]),
    events: (await records.readEvents(`${id} log`, { before: null, limit: 10 })).events.length,
    queued: (await queued(records, id)).map(({ attempts }) => attempts),
    due: (await collections(records, id)).length,
  });
}

const NOTHING = { label: null, kept: [], listed: [], events: 0, queued: [], due: 0 };

/** A backup that is deleted and kept. */
async function kept(records: InspectableRecords, id: string, state: DeletedBackup): Promise<void> {
  const revision = await create(records, id, { next: record(id) });
  await records.commit({ backupId: id, expect: { revision }, next: null, setAside: state });
}

const KEPT = { ...NOTHING, listed: [[true, 2]] };

function reading(run: Prepared<InspectableRecords>["run"], result: unknown): Prepared<InspectableRecords> {
  return { run, result, state: async () => null, before: null, after: null };
}

export const HISTORY_CASES: readonly FaultCase<InspectableRecords>[] = [
  {
    name: "setting aside, with an event",
    writes: true,
    async prepare(records, id, clock) {
      const revision = await create(records, id, { next: record(id) });
      const setAside = stateOf(id, clock);
      const events = [eventOf(id, `${id} log`, clock)];
      return {
        run: (store) => store.commit({ backupId: id, expect: { revision }, next: null, setAside, events }),
        result: "committed",
        state: historyOf(id),
        before: { ...NOTHING, label: id },
        after: { ...KEPT, kept: [id], events: 1, queued: [0] },
      };
    },
  },
  {
    name: "bringing back",
    writes: true,
    async prepare(records, id, clock) {
      const state = stateOf(id, clock);
      await kept(records, id, state);
      const change: Change = { backupId: id, expect: "absent", next: record(id), bringBack: state };
      return {
        run: (store) => store.commit(change),
        result: "committed",
        state: historyOf(id),
        before: { ...KEPT, kept: [id] },
        after: { ...NOTHING, label: id },
      };
    },
  },
  {
    name: "forgetting, and collecting what is left",
    writes: true,
    async prepare(records, id, clock) {
      const state = stateOf(id, clock);
      await kept(records, id, state);
      const change: Change = {
        backupId: id,
        expect: "absent",
        next: null,
        forget: [state],
        collect: { blobs: [state.blob], logIds: [`${id} log`] },
      };
      return {
        run: (store) => store.commit(change),
        result: "committed",
        state: historyOf(id),
        before: { ...KEPT, kept: [id] },
        after: { ...NOTHING, listed: [[false, 1]], due: 1 },
      };
    },
  },
  {
    name: "bringing back what is not kept",
    writes: true,
    async prepare(_records, id, clock) {
      const bringBack = stateOf(id, clock);
      return {
        run: (store) => store.commit({ backupId: id, expect: "absent", next: record(id), bringBack }),
        result: "not-kept",
        state: historyOf(id),
        before: NOTHING,
        after: NOTHING,
      };
    },
  },
  {
    name: "consuming with an event",
    writes: true,
    prepare: async (_records, id, clock) => ({
      run: async (store) =>
        (await store.consume([once(id, clock)], undefined, [eventOf(id, `${id} log`, clock)])) !== null,
      result: true,
      state: historyOf(id),
      before: NOTHING,
      after: { ...NOTHING, events: 1, queued: [0] },
    }),
  },
  {
    name: "claiming an event",
    writes: true,
    async prepare(records, id, clock) {
      await records.consume([], undefined, [eventOf(id, `${id} log`, clock)]);
      const [event] = await queued(records, id);
      if (event === undefined) throw new Error("no event is queued");
      return {
        run: async (store) => (await store.outbox.claim(event, event.dueMs))?.attempts,
        result: 1,
        // due a millisecond later, which is not yet
        state: historyOf(id),
        before: { ...NOTHING, events: 1, queued: [0] },
        after: { ...NOTHING, events: 1 },
      };
    },
  },
  {
    name: "settling an event",
    writes: true,
    async prepare(records, id, clock) {
      await records.consume([], undefined, [eventOf(id, `${id} log`, clock)]);
      const [event] = await queued(records, id);
      if (event === undefined) throw new Error("no event is queued");
      return {
        run: (store) => store.outbox.settle(event),
        result: undefined,
        state: historyOf(id),
        before: { ...NOTHING, events: 1, queued: [0] },
        after: { ...NOTHING, events: 1 },
      };
    },
  },
  {
    name: "taking a state to collect",
    writes: true,
    async prepare(records, id, clock) {
      const state = stateOf(id, clock, clock.nowMs() - HOUR_MS);
      await records.consume([], undefined, [{ ...eventOf(id, `${id} log`, clock), deliverFromMs: null }]);
      await kept(records, id, state);
      const [due] = await collections(records, id);
      if (due === undefined) throw new Error("nothing is due");
      return {
        run: async (store) => (await store.collection.take(due)).length,
        result: 2,
        state: async (store) => {
          const { listed, events } = await historyOf(id)(store);
          // the state is taken before the log is deleted
          return { listed, events: listed[0]?.[0] === false ? "any" : events };
        },
        before: { listed: [[true, 2]], events: 1 },
        after: { listed: [[false, 2]], events: "any" },
      };
    },
  },
  {
    name: "settling a collection",
    writes: true,
    async prepare(records, id, clock) {
      await kept(records, id, stateOf(id, clock, clock.nowMs() - HOUR_MS));
      const [due] = await collections(records, id);
      if (due === undefined) throw new Error("nothing is due");
      await records.collection.take(due);
      return {
        run: (store) => store.collection.settle(due),
        result: undefined,
        state: async (store) => {
          const { listed, due: rows } = await historyOf(id)(store);
          return rows === 0 ? listed : [[false, 2]]; // the state goes before its row
        },
        before: [[false, 2]],
        after: [],
      };
    },
  },
  {
    name: "reading deleted states",
    writes: false,
    async prepare(records, id, clock) {
      const state = stateOf(id, clock);
      await kept(records, id, state);
      return reading((store) => store.readDeleted(id), [state]);
    },
  },
  {
    name: "reading events",
    writes: false,
    async prepare(records, id, clock) {
      const { deliverFromMs, expiresAtMs, logId, ...event } = eventOf(id, id, clock);
      await records.consume([], undefined, [{ ...event, logId, expiresAtMs, deliverFromMs }]);
      const page = { before: "f", limit: 1 };
      return reading((store) => store.readEvents(id, page), { events: [event], next: null });
    },
  },
  {
    name: "reading what is queued, and what is to be collected",
    writes: false,
    async prepare(records, id, clock) {
      await records.consume([], undefined, [eventOf(id, id, clock)]);
      const run = async (store: InspectableRecords) => [
        (await queued(store, id)).length,
        (await collections(store, id)).length,
        (await store.outbox.backlog()).waiting > 0,
      ];
      return reading(run, [1, 0, true]);
    },
  },
  {
    name: "taking the lease of the collection",
    writes: true,
    prepare: async (_records, id, clock) => {
      // no time passes between the cases, so it is over for the next one
      const run = (store: InspectableRecords) => store.collection.lease(id, clock.nowMs());
      return reading(run, true);
    },
  },
  {
    name: "sweeping",
    writes: true,
    prepare: async () => reading((store) => store.sweepExpired(), 0),
  },
];
