import { describe, expect, test } from "bun:test";
import { FairSemaphore } from "../../src/runtime/fair-semaphore.ts";
import { codeOf } from "../support/error-of.ts";

const MINUTE_MS = 60_000;

/** Work of a key, named `<key><number>`, that is done when the test says so. */
function worker(semaphore: FairSemaphore, log: string[]) {
  return (name: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const result = semaphore.run(name.slice(0, 1), () => {
      log.push(name);
      return promise;
    });
    return { name, result, finish: () => resolve(name), fail: (error: Error) => reject(error) };
  };
}

/** Has all work end one after the other, as it began. */
async function finishAll(works: readonly ReturnType<ReturnType<typeof worker>>[], log: readonly string[]) {
  for (let done = 0; done < works.length; done++) {
    const next = works.find(({ name }) => name === log[done]);
    next?.finish();
    await next?.result;
  }
}

describe("a fair semaphore", () => {
  test("runs so many at a time, those of one key in the order they came", async () => {
    const log: string[] = [];
    const start = worker(new FairSemaphore({ permits: 2, maxWaitMs: MINUTE_MS }), log);
    const works = [start("a1"), start("a2"), start("a3"), start("a4")];
    await Promise.resolve();
    expect(log).toEqual(["a1", "a2"]);
    works[1]?.finish();
    expect(await works[1]?.result).toBe("a2");
    expect(log).toEqual(["a1", "a2", "a3"]);
    for (const work of works) work.finish();
    expect(await Promise.all(works.map(({ result }) => result))).toEqual(["a1", "a2", "a3", "a4"]);
    expect(log).toEqual(["a1", "a2", "a3", "a4"]);
  });

  test("serves keys alternately, even if many calls of one key came first", async () => {
    const log: string[] = [];
    const start = worker(new FairSemaphore({ permits: 1, maxWaitMs: MINUTE_MS }), log);
    const works = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"].map(start);
    await finishAll(works, log);
    expect(log).toEqual(["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
  });

  test("has a key that comes again wait behind the others", async () => {
    const log: string[] = [];
    const start = worker(new FairSemaphore({ permits: 1, maxWaitMs: MINUTE_MS }), log);
    const works = ["a1", "b1", "c1"].map(start);
    works[0]?.finish();
    await works[0]?.result;
    works.push(start("a2"));
    await finishAll(works, log);
    expect(log).toEqual(["a1", "b1", "c1", "a2"]);
  });

  test("keeps some permits from a key that has its share", async () => {
    const log: string[] = [];
    const start = worker(new FairSemaphore({ permits: 3, maxPerKey: 2, maxWaitMs: MINUTE_MS }), log);
    const works = ["a1", "a2", "a3", "b1", "b2"].map(start);
    await Promise.resolve();
    expect(log).toEqual(["a1", "a2", "b1"]);
    const [a1, , , b1] = works;
    b1?.finish();
    await b1?.result;
    expect(log).toEqual(["a1", "a2", "b1", "b2"]); // a3 came earlier
    a1?.finish();
    await a1?.result;
    expect(log).toEqual(["a1", "a2", "b1", "b2", "a3"]);
    for (const work of works) work.finish();
    await Promise.all(works.map(({ result }) => result));
  });

  test("is free again after work that failed", async () => {
    const start = worker(new FairSemaphore({ permits: 1, maxWaitMs: MINUTE_MS }), []);
    const [failing, next] = [start("a1"), start("b1")];
    const failure = new Error("no");
    failing.fail(failure);
    await expect(failing.result).rejects.toBe(failure);
    next.finish();
    expect(await next.result).toBe("b1");
    const last = start("a2");
    last.finish();
    expect(await last.result).toBe("a2");
  });

  test("is not waited for too long, and a call that gave up takes no permit", async () => {
    const log: string[] = [];
    const start = worker(new FairSemaphore({ permits: 1, maxWaitMs: 20 }), log);
    const [first, impatient] = [start("a1"), start("b1")];
    expect(await codeOf(() => impatient.result)).toBe("service_unavailable");
    first.finish();
    await first.result;
    const next = start("b2");
    next.finish();
    expect(await next.result).toBe("b2");
    expect(log).toEqual(["a1", "b2"]);
  });

  test("has only so many of one key wait", async () => {
    const log: string[] = [];
    const start = worker(new FairSemaphore({ permits: 1, maxWaitingPerKey: 1, maxWaitMs: MINUTE_MS }), log);
    const works = [start("a1"), start("a2")];
    expect(await codeOf(() => start("a3").result)).toBe("service_unavailable");
    works.push(start("b1"));
    await finishAll(works, log);
    expect(log).toEqual(["a1", "a2", "b1"]);
  });
});

describe("a permit", () => {
  test("that is released twice counts once", async () => {
    const semaphore = new FairSemaphore({ permits: 1, maxWaitMs: 0 });
    const permit = await semaphore.acquire("a");
    for (let time = 0; time < 2; time++) permit[Symbol.dispose]();
    using _held = await semaphore.acquire("b");
    expect(await codeOf(() => semaphore.acquire("c"))).toBe("service_unavailable");
  });

  test("goes to the next waiting call, as one that work releases does", async () => {
    const semaphore = new FairSemaphore({ permits: 1, maxWaitMs: MINUTE_MS });
    const permit = await semaphore.acquire("a");
    const next = semaphore.acquire("b");
    const work = semaphore.run("c", async () => "done");
    permit[Symbol.dispose]();
    (await next)[Symbol.dispose]();
    expect(await work).toBe("done");
  });

  test("can be tried for without waiting, within the limit of its key", () => {
    const semaphore = new FairSemaphore({ permits: 2, maxPerKey: 1 });
    const permit = semaphore.tryAcquire("a");
    expect(permit).not.toBeNull();
    expect(semaphore.tryAcquire("a")).toBeNull();
    using _other = semaphore.tryAcquire("b");
    expect(semaphore.tryAcquire("c")).toBeNull();
    permit?.[Symbol.dispose]();
    expect(semaphore.tryAcquire("c")).not.toBeNull();
  });

  test("counts for its key alone, until it is released", async () => {
    const semaphore = new FairSemaphore({ permits: 3 });
    const [first, second] = [await semaphore.acquire("a"), await semaphore.acquire("a")];
    await semaphore.acquire("b");
    expect(["a", "b", "c"].map((key) => semaphore.heldBy(key))).toEqual([2, 1, 0]);
    first[Symbol.dispose]();
    expect(semaphore.heldBy("a")).toBe(1);
    second[Symbol.dispose]();
    expect(semaphore.heldBy("a")).toBe(0);
  });

  test("reports each wait, whether or not it led to a permit", async () => {
    const waited: number[] = [];
    const onWaited = (seconds: number) => waited.push(seconds);
    const semaphore = new FairSemaphore({ permits: 1, maxWaitMs: 1, onWaited });
    const held = await semaphore.acquire("a");
    expect(waited).toEqual([]); // it did not wait
    await expect(semaphore.acquire("b")).rejects.toThrow();
    expect(waited).toHaveLength(1);
    const patient = new FairSemaphore({ permits: 1, maxWaitMs: MINUTE_MS, onWaited });
    const first = await patient.acquire("a");
    const second = patient.acquire("a");
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    held[Symbol.dispose]();
    expect(waited).toEqual([expect.any(Number), expect.any(Number)]);
  });
});
