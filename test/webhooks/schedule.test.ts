import { describe, expect, test } from "bun:test";
import { isGivenUp, nextAttemptMs, renewalMs } from "../../src/webhooks/schedule.ts";
import { eventAt } from "./memory-outbox.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const AT_MS = Date.UTC(2026, 0, 15);
const tried = (attempts: number) => ({ event: eventAt(AT_MS), attempts, dueMs: AT_MS });

/** The times of all attempts after the event, where each fails at once. */
function attemptsOf(firstMs: number, fraction: number): number[] {
  const times: number[] = [];
  let nowMs = firstMs;
  for (let attempts = 0; ; attempts++) {
    times.push(nowMs - AT_MS);
    if (isGivenUp(tried(attempts + 1), nowMs)) return times;
    nowMs = nextAttemptMs(tried(attempts), nowMs, fraction);
  }
}

describe("an event that cannot be delivered", () => {
  test("is tried again after 5 s at first, and then after twice the pause, up to an hour", () => {
    const times = attemptsOf(AT_MS, 0.5);
    const pauses = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1000);
    expect(pauses.slice(0, 12)).toEqual([5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
    expect(Math.max(...pauses)).toBe(3600);
  });

  test.each([0, 0.5, 0.999])("is tried a last time three days after it happened (jitter %d)", (fraction) => {
    const times = attemptsOf(AT_MS, fraction);
    expect(times.at(-1)).toBe(3 * DAY_MS);
    expect(times.length).toBeGreaterThan(60);
    expect(times.length).toBeLessThan(120);
  });

  test("is tried again within 7 s at first, whatever the jitter, also after a crash in the first attempt", () => {
    for (const fraction of [0, 0.5, 0.999]) {
      const pauseMs = nextAttemptMs(tried(0), AT_MS, fraction) - AT_MS;
      expect(pauseMs).toBeGreaterThanOrEqual(4_000);
      expect(pauseMs).toBeLessThan(7_000);
    }
  });

  test("is not tried twice in a moment at the end of the three days", () => {
    const endMs = AT_MS + 3 * DAY_MS;
    for (const leftMs of [1, 1_000, 5_000])
      expect(nextAttemptMs(tried(80), endMs - leftMs, 0.5)).toBe(endMs - leftMs + HOUR_MS);
    expect(nextAttemptMs(tried(80), endMs - 5_001, 0.5)).toBe(endMs);
  });

  test("is tried for hours where no process ran for days, and soon at first", () => {
    const times = attemptsOf(AT_MS + 4 * DAY_MS, 0.5).map((time) => time - 4 * DAY_MS);
    expect(times.slice(0, 4)).toEqual([0, 5_000, 15_000, 35_000]);
    expect(times).toHaveLength(16);
    expect(times.at(-1)).toBeWithin(6 * HOUR_MS, 8 * HOUR_MS);
  });

  test("is not tried later because its claims were renewed while the webhook took its time", () => {
    const renewedTwice = { ...tried(3), event: eventAt(AT_MS - 12_000) };
    expect(nextAttemptMs(renewedTwice, AT_MS, 0.5) - AT_MS).toBe(12_000);
    for (const fraction of [0, 0.5, 0.999])
      expect(renewalMs(AT_MS, fraction) - AT_MS).toBeWithin(4_000, 6_000);
  });

  test("is tried at growing pauses also where each attempt ends in a crash, without end of numbers", () => {
    expect(nextAttemptMs(tried(10_000), AT_MS + DAY_MS, 0.5)).toBe(AT_MS + DAY_MS + HOUR_MS);
  });
});
