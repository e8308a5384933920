/** What a person sees when something goes wrong: each failure is clear, and nothing is stuck after it. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Profile } from "./chromium.ts";
import {
  click,
  count,
  created,
  isVisible,
  open,
  openAsNewDevice,
  type Playground,
  reported,
  startPlayground,
  textOf,
  type,
  urlOf,
} from "./playground-page.ts";

let playground: Playground;
beforeAll(async () => {
  playground = await startPlayground();
});
beforeEach(() => {
  playground.beforeResponse = async () => null;
});
afterAll(() => playground[Symbol.asyncDispose]());

const SYNC = "#sync [type=submit]";
const CREATE = "#create [type=submit]";

async function newBackup(text: string): Promise<Profile> {
  const tab = await playground.browser.newProfile();
  await created(tab, playground.page, "EC_KEYPAIR", text);
  return tab;
}

const requestsTo = (tab: Profile, path: string) =>
  tab.requests.filter((url) => new URL(url).pathname === path);
const send = (tab: Profile, selector: string) =>
  tab.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);

/** Calls `happens` once the response to the next request of a path is there. */
function onResponse(path: string, happens: () => Promise<Response | null>): void {
  playground.beforeResponse = async (requested) => {
    if (requested !== path) return null;
    playground.beforeResponse = async () => null;
    return happens();
  };
}

/** Holds the response to the next request of a path back. */
function held(path: string) {
  const [arrived, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  onResponse(path, async () => {
    arrived.resolve();
    await released.promise;
    return null;
  });
  return { arrived: arrived.promise, release: released.resolve };
}

describe("in trouble", () => {
  test("a second click while an action runs does nothing", async () => {
    const tab = await newBackup("clicked");
    await type(tab, "sync-text", "clicked twice");
    await tab.evaluate(`{
      const button = document.querySelector("${SYNC}");
      button.click();
      button.click();
      document.getElementById("sync").requestSubmit();
    }`);
    expect(await reported(tab)).toBe("Synced.");
    expect(requestsTo(tab, "/v1/sync").length).toBe(1);
  });

  test("going back while an action runs waits for its end, and shows what the URL says", async () => {
    const tab = await newBackup("left");
    const { arrived, release } = held("/v1/sync");
    await type(tab, "sync-text", "left meanwhile");
    await send(tab, SYNC);
    await arrived;
    await tab.evaluate(`new Promise((resolve) => {
      addEventListener("hashchange", () => resolve(0), { once: true });
      history.back();
    })`);
    release();
    expect(await reported(tab)).toBe("Ready.");
    expect([await isVisible(tab, "#start"), await isVisible(tab, "#text")]).toEqual([true, false]);
  });

  test("a page that is closed before the backup is there finds it in the list of this browser", async () => {
    const tab = await playground.browser.newProfile();
    await open(tab, playground.page);
    await click(tab, "#create-EC_KEYPAIR");
    const { arrived, release } = held("/v1/create");
    await send(tab, CREATE);
    await arrived;
    await open(tab, playground.page);
    release();
    const link = `document.querySelector("#known a").href`;
    await open(tab, String(await tab.evaluate(link)));
    expect(await click(tab, "#recover")).toStartWith("Recovered.");
    expect(await textOf(tab)).toBe("Notes that must not get lost");
  });

  test("a page that is closed while its device joins is a device afterwards", async () => {
    const tab = await newBackup("joined");
    await openAsNewDevice(tab);
    const { arrived, release } = held("/v1/add-sync-factor");
    await send(tab, "#recover");
    await arrived;
    expect(await open(tab, await urlOf(tab))).toBe("Ready.");
    release();
    expect(await textOf(tab)).toBe("joined");
  });

  test("a duplicated tab does not overwrite what the other one has synced", async () => {
    const tab = await newBackup("first");
    const device = await tab.evaluate(`sessionStorage.getItem("device")`);
    const duplicate = await playground.browser.newTab(tab);
    await duplicate.open(playground.page);
    await duplicate.evaluate(`sessionStorage.setItem("device", ${JSON.stringify(device)})`);
    await open(duplicate, await urlOf(tab));
    await type(tab, "sync-text", "of the tab");
    expect(await click(tab, SYNC)).toBe("Synced.");
    await type(duplicate, "sync-text", "of the duplicate");
    expect(await click(duplicate, SYNC)).toStartWith("manifest_hash_mismatch ");
    expect(await click(duplicate, "#fetch")).toBe("Fetched.");
    expect(await textOf(duplicate)).toBe("of the tab");
  });

  test("two tabs that add a key at once make the same key", async () => {
    const tab = await playground.browser.newProfile();
    await created(tab, playground.page, "GOOGLE", "twice");
    const other = await playground.browser.newTab(tab);
    await open(other, await urlOf(tab));
    await click(other, "#recover");
    const results = await Promise.all([click(tab, "#add-EC_KEYPAIR"), click(other, "#add-EC_KEYPAIR")]);
    expect(results.filter((text) => String(text).startsWith("Added.")).length).toBe(1);
    await click(tab, "#refresh");
    expect(await count(tab, "#main-factors li")).toBe(2);
    await tab.evaluate(`document.getElementById("main").value = "EC_KEYPAIR"; 0`);
    expect(await click(tab, "#fetch")).toBe("Fetched.");
  });

  test("a backup that was deleted elsewhere is offered to be brought back", async () => {
    const tab = await newBackup("gone");
    const other = await playground.browser.newTab(tab);
    await open(other, await urlOf(tab));
    await click(other, "#recover");
    await click(other, "#delete");
    expect(await click(tab, SYNC)).toStartWith("backup_untraceable ");
    expect(await click(tab, "#undelete")).toStartWith("The backup is back");
  });

  test("a backup that was reset elsewhere is not there, and can be forgotten", async () => {
    const tab = await newBackup("reset");
    const other = await playground.browser.newTab(tab);
    await open(other, await urlOf(tab));
    await click(other, "#reset-sure");
    expect(await click(other, "#reset [type=submit]")).toStartWith("Reset.");
    expect(await click(tab, SYNC)).toStartWith("backup_untraceable ");
    expect([await isVisible(tab, "#deleted"), await isVisible(tab, "#reset")]).toEqual([true, false]);
  });

  test("a page that is closed during a reset can finish it", async () => {
    const tab = await newBackup("reset twice");
    const url = await urlOf(tab);
    const { arrived, release } = held("/v1/reset");
    await click(tab, "#reset-sure");
    await send(tab, "#reset [type=submit]");
    await arrived;
    await open(tab, url);
    release();
    expect(await isVisible(tab, "#deleted")).toBe(true);
    await click(tab, "#reset-sure");
    expect(await click(tab, "#reset [type=submit]")).toStartWith("Reset.");
    expect(await count(tab, "#known a")).toBe(0);
  });

  test("without a service nothing of another backup is shown, and one can try again", async () => {
    const tab = await newBackup("unreachable");
    const url = await urlOf(tab);
    await open(tab, playground.page);
    await tab.setOffline(true);
    await tab.evaluate(`new Promise((resolve) => {
      addEventListener("hashchange", () => resolve(0), { once: true });
      location.hash = ${JSON.stringify(new URL(url).hash)};
    })`);
    expect(await reported(tab)).toBe("No response. Does the service still run? Then try again.");
    expect([await isVisible(tab, "#start"), await isVisible(tab, "#failed")]).toEqual([false, true]);
    await tab.setOffline(false);
    expect(await click(tab, "#again")).toBe("Ready.");
    expect(await textOf(tab)).toBe("unreachable");
  });

  test("a sync whose response was lost says so, and the page shows after a reload what became of it", async () => {
    const tab = await newBackup("before");
    onResponse("/v1/sync", async () => {
      await tab.setOffline(true);
      return new Response(null, { status: 502 });
    });
    await type(tab, "sync-text", "perhaps synced");
    expect(await click(tab, SYNC)).toBe(
      "The request may have taken effect. Does the service still run? Reload the page to see.",
    );
    await tab.setOffline(false);
    await open(tab, await urlOf(tab));
    expect(await isVisible(tab, "#stale")).toBe(true);
    expect(await click(tab, "#fetch")).toBe("Fetched.");
    expect(await textOf(tab)).toBe("perhaps synced");
  });

  test("what was done is reported also where the page cannot show it any more", async () => {
    const tab = await newBackup("done");
    const refusal = { allowRetry: false, error: { code: "not_supported", message: "not now" } };
    onResponse("/v1/retrieve-metadata", async () => Response.json(refusal, { status: 400 }));
    expect(await click(tab, SYNC)).toBe("Synced. It cannot be shown: Not now.");
  });

  test("a challenge that expired is named, and the next try has another one", async () => {
    const tab = await newBackup("slow");
    onResponse("/v1/sync/challenge/keypair", async () => {
      playground.service.clock.advance(16 * 60_000);
      return null;
    });
    expect(await click(tab, SYNC)).toMatch(/^jwt_error .* valid for 15 minutes. Try again.$/);
    expect(await click(tab, SYNC)).toBe("Synced.");
  });

  test("a passkey that was not made leaves nothing behind, and can be made after that", async () => {
    const tab = await playground.browser.newProfile();
    await open(tab, playground.page);
    await tab.evaluate(`{
      const credentials = navigator.credentials;
      const { create } = credentials;
      credentials.create = async () => {
        credentials.create = create;
        throw new DOMException("cancelled", "NotAllowedError");
      };
    }`);
    expect(await click(tab, CREATE)).toStartWith("The passkey was not used: cancelled");
    await open(tab, playground.page);
    expect(await isVisible(tab, "#known-title")).toBe(false);
    expect(await click(tab, CREATE)).toStartWith("Created.");
  });

  test("an older store of the browser that another tab holds open is named", async () => {
    const tab = await playground.browser.newProfile();
    await tab.open(new URL("/health", playground.page).href);
    await tab.evaluate(`new Promise((resolve) => {
      const request = indexedDB.open("backup-service-playground", 1);
      request.onsuccess = () => { globalThis.held = request.result; resolve(0); };
    })`);
    const other = await playground.browser.newTab(tab);
    await other.open(playground.page);
    const failed = `new Promise((resolve) => {
      const status = document.getElementById("status");
      const check = () => status.dataset.state === "bad" && resolve(status.textContent);
      new MutationObserver(check).observe(status, { attributes: true });
      check();
    })`;
    expect(await other.evaluate(failed)).toStartWith("Close the other tabs of the playground");
  });
});
