/** The playground, used by keyboard alone. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Key, Profile } from "./chromium.ts";
import { isVisible, open, type Playground, reported, startPlayground, textOf } from "./playground-page.ts";

let playground: Playground;
beforeAll(async () => {
  playground = await startPlayground();
});
afterAll(() => playground[Symbol.asyncDispose]());

/** More stops than any state of the page has. */
const MAX_STOPS = 120;

/** The id or the words of what has the focus, and what is wrong with how that is seen. */
const FOCUSED = `(() => {
  const one = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  const { left, top, width, height } = one.getBoundingClientRect();
  const seen = document.elementFromPoint(left + width / 2, top + Math.min(height / 2, 20));
  return [
    one.id || one.textContent.trim(),
    outlineStyle === "none" || parseFloat(outlineWidth) < 2 ? "has no visible focus" : "",
    seen === null || !(one.contains(seen) || seen.contains(one)) ? "is covered" : "",
  ];
})()`;

/** Goes on by Tab to what has this id, or these words. Everything on the way shows that it has the focus. */
async function goTo(tab: Profile, target: string): Promise<void> {
  const passed: unknown[] = [];
  for (let stop = 0; stop < MAX_STOPS; stop++) {
    await tab.press("Tab");
    const focused = await tab.evaluate(FOCUSED);
    if (!Array.isArray(focused)) throw new Error("nothing has the focus");
    const [name, ...faults] = focused;
    if (await tab.evaluate("document.activeElement !== document.body"))
      expect([name, faults]).toEqual([name, ["", ""]]);
    if (name === target) return;
    passed.push(name);
  }
  throw new Error(`Tab does not reach ${target}: ${passed.join(", ")}`);
}

/** Presses a key on what has this id, or these words, and resolves to the report. */
async function press(tab: Profile, target: string, key: Key = "Enter"): Promise<unknown> {
  await goTo(tab, target);
  await tab.press(key);
  return reported(tab);
}

describe("by keyboard alone", () => {
  test.each([1280, 390])(
    "a backup is created, changed, deleted, brought back and reset, at %i pixels",
    async (width) => {
      const tab = await playground.browser.newProfile();
      await tab.show(width, "light");
      expect(await open(tab, playground.page)).toBe("Ready.");
      await press(tab, "skip");
      expect(await tab.evaluate("document.activeElement.id")).toBe("status");
      await press(tab, "create-PASSKEY", "ArrowDown");
      await goTo(tab, "create-text");
      await tab.insert("by keyboard: ");
      expect(await press(tab, "Create")).toStartWith("Created.");

      await goTo(tab, "sync-text");
      await tab.insert("again ");
      expect(await press(tab, "Sync")).toBe("Synced.");
      expect(await press(tab, "Restore")).toBe("Restored.");
      expect(await textOf(tab)).toContain("by keyboard: ");
      expect(await press(tab, "add-GOOGLE", " ")).toStartWith("Added.");
      expect(await press(tab, "read-events")).toBe("Read.");
      expect(await press(tab, "delete")).toStartWith("Deleted.");
      expect(await press(tab, "undelete")).toStartWith("The backup is back");
      expect(await press(tab, "recover")).toStartWith("Recovered.");

      await goTo(tab, "reset-sure");
      await tab.press(" ");
      expect(await press(tab, "Reset the backup")).toStartWith("Reset.");
      expect(tab.problems).toEqual([]);
    },
  );

  test("reports are announced, the list of requests opens, and nothing moves", async () => {
    const tab = await playground.browser.newProfile();
    await open(tab, playground.page);
    await press(tab, "create-PASSKEY", "ArrowDown");
    await press(tab, "Create");
    expect(await tab.evaluate(`document.getElementById("status").role`)).toBe("status");
    const summary = await tab.evaluate(`document.querySelector("#log summary").textContent`);
    await press(tab, String(summary));
    expect(await tab.evaluate(`document.querySelector("#log details").open`)).toBe(true);
    expect(await tab.evaluate("document.getAnimations().length")).toBe(0);
  });

  test("where the service has no test accounts, the page says so, and the keyboard reaches none", async () => {
    const tab = await playground.browser.newProfile();
    await open(tab, playground.page);
    expect(await isVisible(tab, ".no-account")).toBe(false);
    await tab.evaluate(`document.body.removeAttribute("data-test-accounts")`); // as the service then sends it
    expect([await isVisible(tab, ".no-account"), await isVisible(tab, ".account")]).toEqual([true, false]);
    await goTo(tab, "create-PASSKEY");
    for (const next of ["create-EC_KEYPAIR", "create-PASSKEY"]) {
      await tab.press("ArrowDown");
      expect(await tab.evaluate("document.activeElement.id")).toBe(next);
    }
  });
});
