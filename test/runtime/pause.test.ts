import { expect, test } from "bun:test";
import { pause } from "../../src/runtime/pause.ts";

test("a pause ends after its time", async () => {
  await pause(1, new AbortController().signal);
});

test("a pause ends when its signal is aborted, however long it is", async () => {
  const controller = new AbortController();
  const paused = pause(2 ** 30, controller.signal);
  controller.abort();
  await paused;
  await pause(2 ** 30, controller.signal);
});

test("a pause that was over before it began ends at once, without a warning of the runtime", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  await pause(-1_000, new AbortController().signal);
  await new Promise(setImmediate); // warnings are emitted in a later iteration
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
