import { describe, expect, test } from "bun:test";
import { type BackgroundLimits, createBackground } from "../../src/runtime/background.ts";
import { currentRequest } from "../../src/runtime/current-request.ts";
import { createLogger } from "../../src/telemetry/logger.ts";

const MINUTE_MS = 60_000;

interface Line {
  readonly msg: string;
  readonly task: string;
  readonly requestId?: string;
  readonly err?: { readonly message: string };
}

async function fixture(limits: Partial<BackgroundLimits> = {}) {
  const lines: Line[] = [];
  const log = await createLogger({
    level: "info",
    format: "json",
    destination: { write: (line) => lines.push(JSON.parse(line)) },
  });
  const background = createBackground(log, { ...ROOMY, ...limits });
  /** Work that is logged when it begins, and ends when the test says so. */
  const begun: string[] = [];
  const start = (task: string, name = task) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const result = background.run(name, () => {
      begun.push(task);
      return promise;
    });
    return { result, finish: resolve, fail: reject };
  };
  return { background, lines, begun, start };
}

const ROOMY: BackgroundLimits = { maxRunning: 10, maxWaiting: 10, maxWaitMs: MINUTE_MS };

describe("background work", () => {
  test("that fails does not fail the code that started it: the log names it", async () => {
    const { lines, start } = await fixture();
    const work = start("delete");
    work.fail(new Error("no store"));
    expect(await work.result).toBeUndefined();
    expect(lines).toMatchObject([
      { msg: "background work failed", task: "delete", err: { message: "no store" } },
    ]);
    expect(lines[0]).not.toHaveProperty("requestId");
  });

  test("that fails at once is logged as one that fails later", async () => {
    const { background, lines } = await fixture();
    const failing = () => {
      throw new Error("at once");
    };
    await background.run("delete", failing);
    await background.runAtOnce("close", failing);
    expect(lines.map(({ task, err }) => [task, err?.message])).toEqual([
      ["delete", "at once"],
      ["close", "at once"],
    ]);
  });

  test("is logged with the id of the request that started it, even if it begins late", async () => {
    const { lines, start } = await fixture({ maxRunning: 1 });
    const first = currentRequest.run({ id: "first", client: "", app: null, clientApp: null }, () =>
      start("a", "delete"),
    );
    const second = currentRequest.run({ id: "second", client: "", app: null, clientApp: null }, () =>
      start("b", "delete"),
    );
    const ownFailure = start("c", "delete");
    for (const [work, reason] of [
      [first, "1"],
      [second, "2"],
      [ownFailure, "3"],
    ] as const) {
      work.fail(new Error(reason));
      await work.result;
    }
    expect(lines.map(({ err, requestId }) => [err?.message, requestId])).toEqual([
      ["1", "first"],
      ["2", "second"],
      ["3", undefined],
    ]);
  });

  test("runs up to the limit of its name at a time; further work waits, in its order", async () => {
    const { begun, start } = await fixture({ maxRunning: 2 });
    const works = ["a", "b", "c", "d"].map((task) => start(task, "delete"));
    expect(begun).toEqual(["a", "b"]);
    works[1]?.finish();
    await works[1]?.result;
    expect(begun).toEqual(["a", "b", "c"]);
    for (const work of works) work.finish();
    await Promise.all(works.map(({ result }) => result));
    expect(begun).toEqual(["a", "b", "c", "d"]);
  });

  test("of one name does not wait for that of another", async () => {
    const { begun, start } = await fixture({ maxRunning: 1 });
    const hanging = start("a", "delete");
    const other = start("b", "share");
    expect(begun).toEqual(["a", "b"]);
    for (const work of [hanging, other]) work.finish();
  });

  test("is dropped where too much waits already, which the log has with the request", async () => {
    const { begun, lines, start } = await fixture({ maxRunning: 1, maxWaiting: 1 });
    const [running, waiting] = [start("a", "delete"), start("b", "delete")];
    const dropped = currentRequest.run({ id: "unlucky", client: "", app: null, clientApp: null }, () =>
      start("c", "delete"),
    );
    await dropped.result;
    expect(lines).toMatchObject([
      { msg: "background work was dropped", task: "delete", requestId: "unlucky" },
    ]);
    for (const work of [running, waiting]) work.finish();
    await waiting.result;
    expect(begun).toEqual(["a", "b"]);
    const next = start("d", "delete");
    next.finish();
    await next.result;
    expect(begun).toEqual(["a", "b", "d"]);
  });

  test("is dropped when it waited too long", async () => {
    const { begun, lines, start } = await fixture({ maxRunning: 1, maxWaitMs: 5 });
    const running = start("a", "delete");
    await start("b", "delete").result;
    expect(lines).toMatchObject([{ msg: "background work was dropped", task: "delete" }]);
    running.finish();
    await running.result;
    expect(begun).toEqual(["a"]);
  });

  test("that releases a resource runs at once, even if much else runs", async () => {
    const { background, begun, start } = await fixture({ maxRunning: 1, maxWaiting: 0 });
    const hanging = start("a", "close");
    await background.runAtOnce("close", async () => begun.push("b"));
    await background.runAtOnce("close", async () => begun.push("c"));
    expect(begun).toEqual(["a", "b", "c"]);
    hanging.finish();
  });

  test("is settled when all of it has ended, that which it started included", async () => {
    const { background, begun, start } = await fixture();
    await background.settled();
    const first = start("a");
    void first.result.then(() => start("b").finish());
    const settled = background.settled();
    first.finish();
    await settled;
    expect(begun).toEqual(["a", "b"]);
  });
});

describe("stopping background work", () => {
  test("waits until running and waiting work has ended", async () => {
    const { background, begun, lines, start } = await fixture({ maxRunning: 1 });
    const works = [start("a", "delete"), start("b", "delete")];
    const stopped = background.stop(MINUTE_MS);
    for (const work of works) work.finish();
    await stopped;
    expect(begun).toEqual(["a", "b"]);
    expect(lines).toEqual([]);
  });

  test("aborts work, whose early end is no failure", async () => {
    const { background, lines } = await fixture();
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const work = background.run("sweep", async (stopping) => {
      stopping.addEventListener("abort", () => resolve());
      await aborted;
      stopping.throwIfAborted();
    });
    await background.stop(MINUTE_MS);
    await work;
    expect(lines).toEqual([]);
  });

  test("still has another failure logged", async () => {
    const { background, lines, start } = await fixture();
    const work = start("delete");
    const stopped = background.stop(MINUTE_MS);
    work.fail(new Error("no store"));
    await stopped;
    expect(lines).toMatchObject([{ msg: "background work failed", task: "delete" }]);
  });

  test("waits no longer than the grace, and names each kind that has not ended", async () => {
    const { background, lines, start } = await fixture();
    const hanging = [start("a", "delete"), start("b", "delete"), start("c", "share")];
    await background.stop(1);
    expect(lines.map(({ msg, task }) => [msg, task])).toEqual([
      ["background work is cut off by the end of the process", "delete"],
      ["background work is cut off by the end of the process", "share"],
    ]);
    for (const work of hanging) work.finish();
    await background.settled();
  });
});
