import { describe, expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import type { Conflict, NewEvent, RecordStore } from "../../src/storage/contract.ts";
import { announcingEvents } from "../../src/webhooks/announced-events.ts";
import { printEvents } from "../../src/webhooks/printed-events.ts";
import { DRIVERS } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";
import { eventAt } from "./memory-outbox.ts";

const change = (events?: readonly NewEvent[]) => ({
  backupId: "b1",
  expect: "absent" as const,
  next: null,
  ...(events === undefined ? {} : { events }),
});

/** A store that writes nothing: its writes end as the test says. */
async function fixture(outcome: () => Promise<"committed" | Conflict>) {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("no driver");
  const stores = await driver.openStores({ clock: new SettableClock(), random: systemRandom });
  const store: RecordStore = replaced<RecordStore>(stores.records, {
    commit: outcome,
    consume: async () => ((await outcome()) === "committed" ? { release: async () => {} } : null),
  });
  const announced: (readonly NewEvent[])[] = [];
  return {
    announced,
    records: announcingEvents(store, (events) => announced.push(events)),
    [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
  };
}

describe("events are announced", () => {
  test("once the write that stores them has succeeded", async () => {
    await using state = await fixture(async () => "committed");
    const [one, other] = [eventAt(1), eventAt(2)];
    await state.records.commit(change([one]));
    await state.records.consume([], undefined, [other]);
    expect(state.announced).toEqual([[one], [other]]);
  });

  test("not where a write has none, nor where it changes nothing or fails", async () => {
    await using state = await fixture(async () => "committed");
    await state.records.commit(change());
    await state.records.consume([]);
    expect(state.announced).toEqual([]);
    for (const outcome of [async () => "consumed" as const, () => Promise.reject(new Error("down"))]) {
      await using state = await fixture(outcome);
      await state.records.commit(change([eventAt(1)])).catch(() => {});
      await state.records.consume([], undefined, [eventAt(1)]).catch(() => {});
      expect(state.announced).toEqual([]);
    }
  });
});

test("in development each event is printed on a line of its own", () => {
  const lines: string[] = [];
  printEvents({ info: (message) => lines.push(message) }).announce([
    eventAt(0, { id: "e1" }),
    eventAt(0, { id: "e2", body: { kind: "RESET" } }),
  ]);
  expect(lines).toEqual([
    expect.stringMatching(/WEBHOOK_URL.*"type":"backup\.recovered".*"id":"e1"/),
    expect.stringMatching(/WEBHOOK_URL.*"type":"backup\.reset".*"id":"e2"/),
  ]);
  expect(lines.join("")).not.toContain("\n");
});
