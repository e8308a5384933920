import { describe, expect, test } from "bun:test";
import { AnswersInFlight, type AnswersInFlightOptions } from "../../src/limits/answers-in-flight.ts";
import { TooManyRequests } from "../../src/limits/rate-limiter.ts";
import { codeOf, errorOf } from "../support/error-of.ts";
import { SettableClock } from "../support/settable-clock.ts";

const MIB = 1024 * 1024;

function fixture(options: Partial<AnswersInFlightOptions> = {}) {
  const clock = new SettableClock();
  const answers = new AnswersInFlight({
    clock,
    maxPerBackup: 2,
    maxBytes: 100 * MIB,
    maxBytesPerAddress: 50 * MIB,
    ...options,
  });
  const admit = (backupId: string, address: string, bytes = MIB) =>
    answers.admit({ backupId, address, bytes });
  return { answers, clock, admit };
}

/** An answer that is read until the test says so. */
function slowAnswer() {
  const seen = { isOver: false, ended: [] as boolean[], idleLimits: [] as number[] };
  return {
    seen,
    answer: {
      isOver: () => seen.isOver,
      limitIdle: (seconds: number) => void seen.idleLimits.push(seconds),
      end: (isLate: boolean) => void seen.ended.push(isLate),
    },
  };
}

describe("large answers in flight", () => {
  test("are two at most about one backup, whether they are being made or read", async () => {
    const { admit } = fixture();
    const making = admit("b1", "a");
    const reading = admit("b1", "b");
    const { answer, seen } = slowAnswer();
    reading.keepUntilOver(answer);
    reading.giveBack(); // not while it is read
    const refusal = await errorOf(async () => admit("b1", "c"));
    expect(refusal).toBeInstanceOf(TooManyRequests);
    expect(refusal.code).toBe("too_many_requests");
    admit("b2", "c");

    making.giveBack();
    making.giveBack();
    admit("b1", "c");
    expect(await codeOf(async () => admit("b1", "c"))).toBe("too_many_requests");
    seen.isOver = true;
    admit("b1", "c");
    expect(seen.ended).toEqual([false]);
  });

  test("take a share of the disk at most for one address, and have all of it together", async () => {
    const { answers, admit } = fixture();
    admit("b1", "a", 25 * MIB);
    const place = admit("b2", "a", 20 * MIB);
    place.resize(25 * MIB);
    expect(await codeOf(async () => admit("b3", "a", 1))).toBe("too_many_requests");
    admit("b4", "b", 49 * MIB);
    expect(answers.bytes).toBe(99 * MIB);
    expect(await codeOf(async () => admit("b5", "c", 2 * MIB))).toBe("service_unavailable");
    admit("b5", "c", MIB);
    place.giveBack();
    admit("b3", "a", 25 * MIB);
  });

  test("that are in the way of others are broken off when nothing of them is read", async () => {
    const { admit } = fixture({ maxBytes: 10 * MIB, maxBytesPerAddress: 5 * MIB });
    const [first, second, other] = [slowAnswer(), slowAnswer(), slowAnswer()];
    const limits = () => [first, second, other].map(({ seen }) => seen.idleLimits.length);
    admit("b1", "a").keepUntilOver(first.answer);
    admit("b1", "a").keepUntilOver(second.answer);
    admit("b2", "a").keepUntilOver(other.answer);
    await errorOf(async () => admit("b1", "b"));
    expect(limits()).toEqual([1, 1, 0]);
    await errorOf(async () => admit("b3", "a", 3 * MIB));
    expect(limits()).toEqual([2, 2, 1]);
    await errorOf(async () => admit("b3", "b", 8 * MIB));
    expect(limits()).toEqual([2, 2, 1]); // more than the share of an address: nobody else is in the way
    admit("b3", "b", 5 * MIB);
    await errorOf(async () => admit("b4", "c", 3 * MIB));
    expect(limits()).toEqual([3, 3, 2]);
    expect(new Set(first.seen.idleLimits)).toEqual(new Set([20]));
    for (const { seen } of [first, second, other]) seen.isOver = true;
    admit("b5", "c");
  });

  test("have to be read at 64 KiB/s on average, with 30 s to spare", async () => {
    const { answers, admit, clock } = fixture();
    const { answer, seen } = slowAnswer();
    admit("b1", "a", 20 * MIB).keepUntilOver(answer);
    clock.advance(30_000 + 320_000 - 1);
    admit("b2", "a").giveBack();
    expect(seen.ended).toEqual([]);
    clock.advance(1);
    while (seen.ended.length === 0) await new Promise(setImmediate); // nobody has to ask
    expect(seen.ended).toEqual([true]);
    expect(answers.bytes).toBe(0);
  });
});
