/**
 * Preloaded into a service: its warm-up, which comes a second after the start, waits until the process can open no file.
 * So a test has all the time it needs to get it there.
 */
import { closeSync, openSync } from "node:fs";
import { errorCode } from "../../src/runtime/system-errors.ts";

/** The delay that main.ts gives its warm-up. */
const WARM_UP_AFTER_MS = 1_000;
const POLL_MS = 20;

const { setTimeout: later, setInterval: repeatedly } = globalThis;

const holding = (callback: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]) => {
  if (delayMs !== WARM_UP_AFTER_MS) return later(callback, delayMs, ...args);
  const timer = repeatedly(() => {
    if (canOpen()) return;
    clearInterval(timer);
    callback(...args);
  }, POLL_MS);
  return timer;
};
globalThis.setTimeout = Object.assign(holding, later);

function canOpen(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    if (errorCode(error) === "EMFILE") return false;
    throw error;
  }
}
