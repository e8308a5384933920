import { describe, expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { Permits } from "../../../../src/storage/aws/direct/permits.ts";

/** Whether a promise has settled by now. */
async function isSettled(promise: unknown): Promise<boolean> {
  const waiting = Symbol("waiting");
  return (
    (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, waiting))])) !== waiting
  );
}

describe("permits", () => {
  test("are acquired at once as long as one is free, and no longer", async () => {
    const permits = new Permits(2);
    expect([permits.acquire(), permits.acquire()].map((release) => typeof release)).toEqual([
      "function",
      "function",
    ]);
    expect(await isSettled(permits.acquire())).toBe(false);
  });

  test("that are released are free again, as many as before", async () => {
    const permits = new Permits(1);
    for (let n = 0; n < 3; n++) (await permits.acquire())();
    await permits.acquire();
    expect(await isSettled(permits.acquire())).toBe(false);
  });

  test("pass to the call that has waited longest, one each", async () => {
    const permits = new Permits(1);
    const order: string[] = [];
    const releases: (() => void)[] = [await permits.acquire()];
    const waiting = ["a", "b", "c"].map(async (name) => {
      releases.push(await permits.acquire());
      order.push(name);
    });
    for (const expected of [["a"], ["a", "b"], ["a", "b", "c"]]) {
      releases.at(-1)?.();
      await waiting[expected.length - 1];
      await new Promise(setImmediate);
      expect(order).toEqual(expected);
    }
    releases.at(-1)?.();
    expect(permits.acquire()).toBeFunction();
  });

  test("are not waited for once the signal has aborted, and pass to the next call", async () => {
    const permits = new Permits(1);
    const release = await permits.acquire();
    const reason = new Error("the attempt took too long");
    const controller = new AbortController();
    const aborted = Promise.resolve(permits.acquire(controller.signal));
    const next = permits.acquire();
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(() => permits.acquire(controller.signal)).toThrow(reason);
    release();
    expect(await next).toBeFunction();
    expect(await isSettled(permits.acquire())).toBe(false);
  });

  test("leave nothing behind on a signal", async () => {
    const permits = new Permits(1);
    const release = await permits.acquire();
    const { signal } = new AbortController();
    const waiting = permits.acquire(signal);
    release();
    await waiting;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
