import { expect, test } from "bun:test";
import { startChromium } from "./chromium.ts";

test("what waits for a browser fails when that ends", async () => {
  const browser = await startChromium();
  const tab = await browser.newProfile();
  await tab.evaluate(`document.body.append(document.createElement("a"))`);
  const waiting = Promise.allSettled([tab.evaluate("new Promise(() => {})"), tab.follow("a")]);
  await browser[Symbol.asyncDispose]();
  const outcomes = await waiting;
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
