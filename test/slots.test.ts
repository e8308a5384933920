import { describe, expect, test } from "bun:test";
import { Slots } from "../src/slots.ts";
import { codeOf } from "./support/error-of.ts";

const MINUTE_MS = 60_000;

/** Work that is done when the test says so. */
function worker(slots: Slots, log: string[]) {
  return (name: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const result = slots.run(() => {
      log.push(name);
      return promise;
    });
    return { result, finish: () => resolve(name), fail: (error: Error) => reject(error) };
  };
}

describe("slots", () => {
  test("let so many in at a time, in the order they came", async () => {
    const log: string[] = [];
    const start = worker(new Slots(2, MINUTE_MS), log);
    const [a, b, c, d] = [start("a"), start("b"), start("c"), start("d")];
    await Promise.resolve();
    expect(log).toEqual(["a", "b"]);
    b.finish();
    expect(await b.result).toBe("b");
    expect(log).toEqual(["a", "b", "c"]);
    a.finish();
    c.finish();
    d.finish();
    expect(await Promise.all([a.result, c.result, d.result])).toEqual(["a", "c", "d"]);
    expect(log).toEqual(["a", "b", "c", "d"]);
  });

  test("are free again after work that failed", async () => {
    const start = worker(new Slots(1, MINUTE_MS), []);
    const [failing, next] = [start("a"), start("b")];
    const failure = new Error("no");
    failing.fail(failure);
    await expect(failing.result).rejects.toBe(failure);
    next.finish();
    expect(await next.result).toBe("b");
    const last = start("c");
    last.finish();
    expect(await last.result).toBe("c");
  });

  test("are not waited for too long, and who gave up takes none", async () => {
    const log: string[] = [];
    const start = worker(new Slots(1, 20), log);
    const [first, impatient] = [start("a"), start("b")];
    expect(await codeOf(() => impatient.result)).toBe("service_unavailable");
    first.finish();
    await first.result;
    const next = start("c");
    next.finish();
    expect(await next.result).toBe("c");
    expect(log).toEqual(["a", "c"]);
  });
});
