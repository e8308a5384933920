import { describe, expect, test } from "bun:test";
import { Arrival } from "../../src/limits/arrival.ts";
import { remainingMs } from "../../src/limits/time-limit.ts";
import { SettableClock } from "../support/settable-clock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const TIMEOUT_MS = 30_000;

/** An upload that begins now, and what time is left to it. */
function upload() {
  const clock = new SettableClock();
  const arrival = new Arrival(clock);
  arrival.beginWait();
  return {
    clock,
    leftMs: () => remainingMs(clock.elapsedMs(), TIMEOUT_MS, arrival),
    /** Waits for the client that long, until it sends so much. */
    receive(ms: number, bytes: number) {
      arrival.beginWait();
      clock.advance(ms);
      arrival.endWait(bytes);
    },
    arrival,
  };
}

describe("the time of a request", () => {
  test("is all that has passed, where it is no upload", () => {
    expect(remainingMs(0, TIMEOUT_MS, null)).toBe(30_000);
    expect(remainingMs(29_000, TIMEOUT_MS, null)).toBe(1_000);
    expect(remainingMs(31_000, TIMEOUT_MS, null)).toBe(-1_000);
  });

  test("does not count while an upload arrives at 64 KiB/s or faster", () => {
    const { receive, leftMs } = upload();
    for (let second = 0; second < 240; second++) receive(1_000, 64 * KIB);
    expect(leftMs()).toBe(30_000);
  });

  test("counts as far as the client is slower than that on average", () => {
    const { receive, leftMs } = upload();
    for (let second = 0; second < 30; second++) receive(1_000, 32 * KIB);
    expect(leftMs()).toBe(15_000);
    for (let second = 0; second < 30; second++) receive(1_000, 32 * KIB);
    expect(leftMs()).toBe(0);
  });

  test("is measured since the body began: who was fast may be slow afterwards", () => {
    const { receive, leftMs, arrival, clock } = upload();
    receive(1_000, 4 * MIB); // as much as 64 s are allowed for
    arrival.beginWait();
    clock.advance(63_000);
    expect(leftMs()).toBe(30_000);
    clock.advance(30_000);
    expect(leftMs()).toBe(0);
  });

  test("counts while nothing arrives at all", () => {
    const { clock, leftMs } = upload();
    clock.advance(30_000);
    expect(leftMs()).toBe(0);
  });

  test("counts while the service does not wait for the client", () => {
    const { receive, leftMs, clock } = upload();
    receive(1_000, 15 * MIB);
    clock.advance(29_000);
    expect(leftMs()).toBe(1_000);
  });

  test("ends after five minutes whatever arrives", () => {
    const { receive, leftMs } = upload();
    for (let second = 0; second < 299; second++) receive(1_000, 64 * KIB);
    expect(leftMs()).toBe(1_000);
    receive(1_000, MIB);
    expect(leftMs()).toBe(0);
  });
});
