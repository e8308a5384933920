import { test } from "bun:test";
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
