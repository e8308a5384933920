import { expect, test } from "bun:test";
import { instantOf } from "../../src/runtime/clock.ts";
import { type Change, isUnchanged, NotCommitted } from "../../src/storage/contract.ts";
import { NEW_BLOB_MAX_AGE_MS } from "../../src/storage/late-changes.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import { labelOf, MINUTE_MS, main, type NewStorage, once, openFixture, record } from "./fixture.ts";

const HOUR_MS = 60 * 60 * 1000;

/** What may pass while a process is suspended, or its machine sleeps. */
const PAUSES: readonly (readonly [name: string, pass: (clock: SettableClock) => void])[] = [
  ["an hour that both times of the clock count", (clock) => clock.advance(HOUR_MS)],
  ["an hour of sleep, in which elapsed time stops", (clock) => clock.set(clock.nowMs() + HOUR_MS)],
  [
    "an hour in which the clock was put back by two",
    (clock) => {
      clock.advance(HOUR_MS);
      clock.set(clock.nowMs() - 2 * HOUR_MS);
    },
  ],
  ["a moment more than is allowed", (clock) => clock.advance(NEW_BLOB_MAX_AGE_MS + 1)],
];

/** Changes of a process that was suspended between a decision and its commit. */
export function lateContract(newStorage: NewStorage): void {
  for (const [name, pass] of PAUSES)
    test(`a commit that refers to a new blob after ${name} is refused and changes nothing`, async () => {
      await using store = await openFixture(newStorage);
      const { records, clock } = store;
      const change: Change = {
        backupId: "b1",
        expect: "absent",
        next: record("b1"),
        newBlobSince: instantOf(clock),
        claim: [main("f1")],
      };
      pass(clock);
      const outcome = await records.commit(change).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(NotCommitted);
      expect(await labelOf(records, "b1")).toBeNull();
      expect((await records.locate(main("f1"), [])).backupId).toBeNull();
      expect(await records.commit({ ...change, newBlobSince: instantOf(clock) })).toBe("committed");
    });

  test("a commit may take as long as a slow upload and a slow store together", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    for (const [backupId, passedMs] of [
      ["b1", 8 * MINUTE_MS],
      ["b2", NEW_BLOB_MAX_AGE_MS],
    ] as const) {
      const newBlobSince = instantOf(clock);
      clock.advance(passedMs);
      const change: Change = { backupId, expect: "absent", next: record(backupId), newBlobSince };
      expect(await records.commit(change)).toBe("committed");
    }
  });

  test("a conflict is reported as such, however late", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const change: Change = { backupId: "b1", expect: "absent", next: record("b1") };
    await records.commit(change);
    const newBlobSince = instantOf(clock);
    clock.advance(HOUR_MS);
    const outcome = await records.commit({ ...change, newBlobSince }).catch((error: unknown) => error);
    // A store that is not asked does not know of the conflict.
    expect(outcome === "exists" || isUnchanged(outcome)).toBe(true);
  });

  test("a nonce that has expired before it is consumed is not consumed, since its use would not be remembered", async () => {
    await using store = await openFixture(newStorage);
    const { records, clock } = store;
    const value = once("n1", clock);
    clock.set(value.expiresAtMs);
    const late = [
      () => records.consume([value]),
      () => records.commit({ backupId: "b1", expect: "absent", next: record("b1"), consume: [value] }),
    ];
    for (const call of late)
      expect(await call().catch((error: unknown) => error)).toBeInstanceOf(NotCommitted);
    expect(await records.isConsumed([value])).toBe(false);
    expect(await labelOf(records, "b1")).toBeNull();
  });
}
