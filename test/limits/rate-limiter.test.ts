import { describe, expect, test } from "bun:test";
import { createRateLimiter, type RateLimit, TooManyRequests } from "../../src/limits/rate-limiter.ts";
import { createBackground } from "../../src/runtime/background.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { DRIVERS } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";

const LIMIT: RateLimit = { name: "test", max: 20, windowMs: 60_000 };
const background = createBackground(await createLogger({ level: "silent", format: "json" }));

/** Counts of one process only. */
function ownCounters() {
  const sums = new Map<string, number>();
  return {
    async addToCounter(id: string, amount: number): Promise<number> {
      const sum = (sums.get(id) ?? 0) + amount;
      sums.set(id, sum);
      return sum;
    },
  };
}

/** What a limiter of one process needs, whose clock is stopped. */
const own = () => ({ clock: new SettableClock(), background, counters: ownCounters() });

function limiter(
  clock: SettableClock,
  counters: Parameters<typeof createRateLimiter>[0]["counters"] = ownCounters(),
) {
  const { check, count } = createRateLimiter({ clock, background, counters });
  /** How many uses are let through before the limit holds; at most `tries`. */
  return async (subject: string, tries: number, limit = LIMIT): Promise<number> => {
    for (let used = 0; used < tries; used++) {
      try {
        check(limit, subject);
      } catch (error) {
        if (error instanceof TooManyRequests) return used;
        throw error;
      }
      count(limit, subject);
      await background.settled();
    }
    return tries;
  };
}

describe("a rate limit", () => {
  test("holds after as many uses as it allows, for that subject and that limit alone", async () => {
    const usable = limiter(new SettableClock());
    expect(await usable("a", 100)).toBe(20);
    expect(await usable("a", 100)).toBe(0);
    expect(await usable("b", 100)).toBe(20);
    expect(await usable("a", 100, { ...LIMIT, name: "other" })).toBe(20);
  });

  test("allows more when its window ends, and says when that is", async () => {
    const clock = new SettableClock(Date.UTC(2026, 0, 1, 12, 0, 15));
    const usable = limiter(clock);
    await usable("a", 20);
    const { check } = createRateLimiter({ clock, background, counters: ownCounters() });
    const none = { ...LIMIT, max: 0 };
    expect(() => check(none, "a")).toThrow(
      expect.objectContaining({ retryAfterS: 45, code: "too_many_requests" }),
    );
    clock.advance(44_999);
    expect(await usable("a", 1)).toBe(0);
    clock.advance(1);
    expect(await usable("a", 100)).toBe(20);
  });

  test("shares its counts one call at a time, and each use once", async () => {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const shared: number[] = [];
    const counters = {
      async addToCounter(_id: string, amount: number) {
        shared.push(amount);
        await answered;
        return shared.reduce((sum, each) => sum + each, 0);
      },
    };
    const { check, count } = createRateLimiter({ clock: new SettableClock(), background, counters });
    for (let use = 0; use < 15; use++) count(LIMIT, "a");
    expect(shared).toEqual([2]); // a tenth of the limit; the others wait for the answer
    answer();
    await background.settled();
    count(LIMIT, "a");
    await background.settled();
    expect(shared).toEqual([2, 14]);
    for (let use = 16; use < LIMIT.max; use++) {
      check(LIMIT, "a");
      count(LIMIT, "a");
      await background.settled();
    }
    expect(() => check(LIMIT, "a")).toThrow(TooManyRequests);
    expect(shared.reduce((sum, each) => sum + each, 0)).toBe(LIMIT.max);
  });

  test("does not outlast its window when the clock is put back", async () => {
    const clock = new SettableClock();
    const usable = limiter(clock);
    await usable("a", 20);
    clock.advance(-3_600_000);
    expect(await usable("a", 100)).toBe(20);
  });

  test("is enforced on the counts of one process while the shared ones cannot be reached", async () => {
    const clock = new SettableClock();
    const usable = limiter(clock, {
      addToCounter: async () => {
        throw new StorageUnavailable("down");
      },
    });
    expect(await usable("a", 100)).toBe(20);
  });

  describe("over a hundred thousand subjects", () => {
    const MANY = 100_000;
    const large = { ...LIMIT, max: 1_000 };

    test("forgets those that have used little, the oldest first", () => {
      const { check, count } = createRateLimiter(own());
      count(large, "first", 50);
      count(large, "second", 50);
      const isForgotten = (subject: string) => {
        try {
          check(large, subject, 951);
          return true;
        } catch (error) {
          if (error instanceof TooManyRequests) return false;
          throw error;
        }
      };
      for (let subject = 0; subject < MANY - 1; subject++) count(large, `${subject}`);
      expect([isForgotten("second"), isForgotten("first")]).toEqual([false, true]);
    });

    test("keeps the subjects that have used much or have a reservation: a flood resets no limit", () => {
      const { check, count, reserve } = createRateLimiter(own());
      count(large, "flooder", 1_000);
      count(large, "nearly", 100);
      using _reservation = reserve(large, "creating", 50);
      for (let subject = 0; subject < 3 * MANY; subject++) count(large, `${subject}`);
      expect(() => check(large, "flooder")).toThrow(TooManyRequests);
      expect(() => check(large, "nearly", 901)).toThrow(TooManyRequests);
      expect(() => check(large, "creating", 951)).toThrow(TooManyRequests);
    });

    test("does not keep those whose window is over", () => {
      const clock = new SettableClock();
      const { check, count } = createRateLimiter({ ...own(), clock });
      count(LIMIT, "old", 20);
      clock.advance(LIMIT.windowMs);
      count(LIMIT, "new", 20);
      for (let subject = 0; subject < MANY; subject++) count(large, `${subject}`);
      expect(() => check(LIMIT, "new")).toThrow(TooManyRequests);
      expect(() => check(LIMIT, "old")).not.toThrow();
    });

    test("does not grow without bound when all have used much", () => {
      const { check, count } = createRateLimiter(own());
      const once = { ...LIMIT, max: 1 };
      for (let subject = 0; subject < MANY + 1_000; subject++) count(once, `${subject}`);
      const isForgotten = (subject: string) => {
        try {
          check(once, subject);
          return true;
        } catch (error) {
          if (error instanceof TooManyRequests) return false;
          throw error;
        }
      };
      const all = Array.from({ length: MANY + 1_000 }, (_, subject) => `${subject}`);
      expect(all.filter(isForgotten).length).toBeGreaterThanOrEqual(1_000);
    });
  });

  test("counts amounts, and refuses an amount that does not fit", () => {
    const { check, count } = createRateLimiter(own());
    count(LIMIT, "a", 15);
    expect(() => check(LIMIT, "a", 5)).not.toThrow();
    expect(() => check(LIMIT, "a", 6)).toThrow(expect.objectContaining({ limit: "test" }));
    count(LIMIT, "a", 5);
    expect(() => check(LIMIT, "a")).toThrow(TooManyRequests);
  });

  test("counts what is reserved, until it is counted or released", () => {
    const { check, count, reserve } = createRateLimiter(own());
    count(LIMIT, "a", 5);
    {
      using first = reserve(LIMIT, "a", 10);
      using _second = reserve(LIMIT, "a", 5);
      // only reservations are in the way, so the wait is short
      expect(() => reserve(LIMIT, "a", 1)).toThrow(expect.objectContaining({ retryAfterS: 5 }));
      expect(() => check(LIMIT, "b", 20)).not.toThrow();
      first.count(2);
    }
    expect(() => check(LIMIT, "a", 13)).not.toThrow();
    expect(() => check(LIMIT, "a", 14)).toThrow(expect.objectContaining({ retryAfterS: 60 }));
  });

  test("counts what was reserved in the window in which it is used", () => {
    const clock = new SettableClock();
    const { check, reserve } = createRateLimiter({ ...own(), clock });
    const reservation = reserve(LIMIT, "a", 20);
    clock.advance(LIMIT.windowMs);
    expect(() => check(LIMIT, "a", 20)).not.toThrow();
    reservation.count(20);
    reservation[Symbol.dispose]();
    reservation[Symbol.dispose]();
    expect(() => check(LIMIT, "a")).toThrow(TooManyRequests);
    clock.advance(LIMIT.windowMs);
    expect(() => check(LIMIT, "a", 20)).not.toThrow();
    expect(() => check(LIMIT, "a", 21)).toThrow(TooManyRequests);
  });
});

for (const driver of DRIVERS)
  describe(`shared counts (${driver.name})`, () => {
    test("make several processes enforce one limit between them", async () => {
      const clock = new SettableClock();
      await using stores = await driver.openStores({ clock, random: systemRandom });
      const processes = [limiter(clock, stores.records), limiter(clock, stores.records)];
      let used = 0;
      for (let round = 0; round < 30; round++) for (const usable of processes) used += await usable("a", 1);
      // each may be off by what the other has not shared yet: a tenth of the limit
      expect(used).toBeGreaterThanOrEqual(LIMIT.max);
      expect(used).toBeLessThanOrEqual(LIMIT.max + 4);
      clock.advance(LIMIT.windowMs);
      expect(await processes[0]?.("a", 1)).toBe(1);
    });
  });
