/** The playground, as a person uses it. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { importP256PublicKey, verifyP256 } from "../../src/crypto/ecdsa.ts";
import type { Profile } from "./chromium.ts";
import {
  click,
  count,
  created,
  isVisible,
  type MadeKind,
  open,
  openAsNewDevice,
  type Playground,
  reported,
  startPlayground,
  textOf,
  type,
  urlOf,
} from "./playground-page.ts";
import { expectReadable } from "./readable.ts";

/** Its place among the texts of the log, after a create with a key. */
const CREATE_REQUEST = 10;

/** The texts of the log: signed bytes, signatures, requests, responses. */
const blocks = async (tab: Profile) =>
  Value.Parse(
    Type.Array(Type.String()),
    await tab.evaluate(`[...document.querySelectorAll("#log pre")].map((one) => one.textContent)`),
  );

let playground: Playground;
beforeAll(async () => {
  playground = await startPlayground();
});
afterAll(() => playground[Symbol.asyncDispose]());

const newProfile = () => playground.browser.newProfile();
const make = (tab: Profile, kind: MadeKind, text: string) => created(tab, playground.page, kind, text);

/** The life of a backup from its recovery by a new device on. */
async function live(tab: Profile): Promise<void> {
  expect(await click(tab, "#recover")).toStartWith("Recovered.");
  expect(await textOf(tab)).toBe("first");
  expect(await count(tab, "#sync-factors li")).toBe(2);

  await type(tab, "sync-text", "second");
  expect(await click(tab, "#sync [type=submit]")).toBe("Synced.");
  expect(await click(tab, "#versions button:first-child")).toContain("“first”");
  expect(await click(tab, "#versions button:last-child")).toBe("Restored.");
  expect(await textOf(tab)).toBe("first");

  expect(await click(tab, "#delete")).toStartWith("Deleted.");
  expect(await click(tab, "#undelete")).toStartWith("The backup is back");
  expect(await click(tab, "#recover")).toStartWith("Recovered.");
  expect(await textOf(tab)).toBe("first");

  expect(await click(tab, "#read-events")).toBe("Read.");
  const kinds = await tab.evaluate(
    `[...document.querySelectorAll("#events code")].map((e) => e.textContent)`,
  );
  expect(kinds).toEqual(expect.arrayContaining(["CREATED", "VERSION_RESTORED", "DELETED", "UNDELETED"]));
}

/** The page called nobody else, and nothing was reported. */
function expectQuiet(tab: Profile): void {
  expect(tab.problems).toEqual([]);
  const hosts = tab.requests.filter((url) => /^(https?|wss?):/.test(url)).map((url) => new URL(url).origin);
  expect(new Set(hosts)).toEqual(new Set([new URL(playground.page).origin]));
}

describe("the playground", () => {
  test("goes through the life of a backup with a key, in two tabs", async () => {
    const tab = await newProfile();
    await make(tab, "EC_KEYPAIR", "first");
    const other = await playground.browser.newTab(tab);
    await open(other, await urlOf(tab));
    await live(other);

    expect(await click(other, "#add-PASSKEY")).toStartWith("Added.");
    expect(await count(other, "#main-factors li")).toBe(2);
    expect(await click(other, "#main-factors li:first-child button")).toBe("Removed.");
    expect(await click(other, "#fetch")).toBe("Fetched.");

    await type(other, "sync-text", "third");
    expect(await click(other, "#sync [type=submit]")).toBe("Synced.");
    await type(tab, "sync-text", "late");
    expect(await click(tab, "#sync [type=submit]")).toStartWith("manifest_hash_mismatch ");
    expect(await click(other, "#sync-factors li:first-child button")).toBe("Removed.");
    expect(await click(tab, "#sync [type=submit]")).toStartWith("backup_untraceable ");
    // the tab is offered to join again; the passkey is in the authenticator of the other one
    expect(await click(tab, "#recover")).toStartWith("The passkey was not used");
    expectQuiet(tab);
    expectQuiet(other);
  });

  test("goes through the life of a backup with a passkey, whose secret encrypts", async () => {
    const tab = await newProfile();
    await make(tab, "PASSKEY", "first");
    await openAsNewDevice(tab);
    await live(tab);

    expect(await click(tab, "#add-EC_KEYPAIR")).toStartWith("Added.");
    expect(await click(tab, "#main-factors li:first-child button")).toBe("Removed.");
    expect(await click(tab, "#fetch")).toBe("Fetched.");
    expect(await click(tab, "#main-factors button")).toContain("so the backup is deleted");
    expectQuiet(tab);
  });

  test("takes test accounts as main factors, which share the encrypted key", async () => {
    const tab = await newProfile();
    await make(tab, "GOOGLE", "first");
    await openAsNewDevice(tab);
    await live(tab);

    expect(await click(tab, "#add-APPLE")).toStartWith("Added.");
    expect(await click(tab, "#main-factors li:first-child button")).toBe("Removed.");
    await openAsNewDevice(tab);
    expect(await click(tab, "#recover")).toStartWith("Recovered.");
    expect(await textOf(tab)).toBe("first");
    const label = `document.querySelector("#main-factors li").textContent`;
    expect(await tab.evaluate(label)).toStartWith("Apple account ad***@example.com");
    expectQuiet(tab);
  });

  test("resets a backup for good, once the user is sure, also where it was deleted before", async () => {
    const tab = await newProfile();
    const submit = "#reset [type=submit]";
    for (const prepare of [async () => {}, () => click(tab, "#delete")]) {
      await make(tab, "EC_KEYPAIR", "to be reset");
      const url = await urlOf(tab);
      await prepare();
      await click(tab, submit);
      expect(await urlOf(tab)).toBe(url); // not sure yet
      await click(tab, "#reset-sure");
      expect(await click(tab, submit)).toStartWith("Reset.");
      expect(await isVisible(tab, "#start")).toBe(true);
      expect(await tab.evaluate(`document.getElementById("log").textContent`)).toContain("/v1/reset 204");
      expect(await count(tab, "#known a")).toBe(0);
      await open(tab, url);
      expect([await isVisible(tab, "#deleted"), await isVisible(tab, "#reset")]).toEqual([true, false]);
    }
    expectQuiet(tab);
  });

  test("lists the backups of this browser, newest first, and opens them", async () => {
    const tab = await newProfile();
    await make(tab, "EC_KEYPAIR", "older");
    await make(tab, "GOOGLE", "newer");
    await open(tab, playground.page);
    expect(await count(tab, "#known a")).toBe(2);
    await tab.evaluate(`new Promise((resolve) => {
      addEventListener("hashchange", () => resolve(), { once: true }); // the page's own listener comes first
      document.querySelector("#known li:last-child a").click();
    })`);
    expect(await reported(tab)).toBe("Ready.");
    expect(await textOf(tab)).toBe("older");
  });

  test("finds the backup of a passkey without its id", async () => {
    const tab = await newProfile();
    await make(tab, "PASSKEY", "found");
    await tab.evaluate("sessionStorage.clear()");
    await open(tab, playground.page);
    expect(await click(tab, "#find")).toStartWith("Recovered.");
    expect(await textOf(tab)).toBe("found");
  });

  test("shows requests, responses and the bytes that were signed, with a signature that is right", async () => {
    const tab = await newProfile();
    await make(tab, "EC_KEYPAIR", "shown");
    const shown = await tab.evaluate(
      `[...document.querySelectorAll("#log details")].map((one) => one.querySelector("summary").textContent)`,
    );
    expect(shown).toEqual([
      expect.stringMatching(/^POST \/v1\/create\/challenge\/keypair 200 /),
      "The main key signs 32 bytes",
      expect.stringMatching(/^POST \/v1\/create\/challenge\/keypair 200 /),
      "The sync factor of this device signs 32 bytes",
      "The account key signs 32 bytes",
      expect.stringMatching(/^POST \/v1\/create 200 /),
      expect.stringMatching(/^POST \/v1\/retrieve-metadata\/challenge\/keypair 200 /),
      "The sync factor of this device signs 32 bytes",
      expect.stringMatching(/^POST \/v1\/retrieve-metadata 200 /),
    ]);
    const texts = await blocks(tab);
    const [, challenge = "", message = "", signature = ""] = texts;
    const { publicKey } = JSON.parse(texts[CREATE_REQUEST] ?? "").authorization;
    const key = importP256PublicKey(Buffer.from(publicKey, "base64"));
    expect(Buffer.from(JSON.parse(challenge).challenge, "base64").toString("hex")).toBe(message);
    if (key === null) throw new Error("the page sends no public key");
    expect(verifyP256(key, Buffer.from(message, "hex"), Buffer.from(signature, "hex"))).toBe(true);
  });

  test("shows what a passkey signed", async () => {
    const tab = await newProfile();
    await make(tab, "PASSKEY", "signed");
    await click(tab, "#clear-log");
    await click(tab, "#fetch");
    const [, , message = "", signature = ""] = await blocks(tab);
    const [passkey] = await tab.credentials();
    const key = createPrivateKey({
      key: Buffer.from(String(passkey?.privateKey), "base64"),
      format: "der",
      type: "pkcs8",
    });
    const [bytes, der] = [Buffer.from(message, "hex"), Buffer.from(signature, "hex")];
    expect(verifyP256(createPublicKey(key), bytes, der)).toBe(true);
  });

  test("goes back and forward between backups", async () => {
    const tab = await newProfile();
    await make(tab, "EC_KEYPAIR", "one of two");
    const visible = (id: string) => isVisible(tab, `#${id}`);
    const go = async (way: "back" | "forward") => {
      await tab.evaluate(`new Promise((resolve) => {
        addEventListener("hashchange", resolve, { once: true });
        history.${way}();
      }).then(() => 0)`);
      expect(await reported(tab)).toBe("Ready.");
    };
    await go("back");
    expect([await visible("start"), await visible("text")]).toEqual([true, false]);
    await go("forward");
    expect([await visible("start"), await visible("text")]).toEqual([false, true]);
  });

  test("goes on at localhost, since passkeys need a name", async () => {
    const tab = await newProfile();
    const { port } = new URL(playground.service.url);
    await tab.open(`http://127.0.0.1:${port}/playground#anything`);
    const named = `http://localhost:${port}/playground`;
    while (!tab.requests.includes(named)) await Bun.sleep(5); // the test runner's limit ends it
  });

  test("says so where the main key is in another browser", async () => {
    const tab = await newProfile();
    await make(tab, "EC_KEYPAIR", "elsewhere");
    const elsewhere = await newProfile();
    await open(elsewhere, await urlOf(tab));
    expect(await isVisible(elsewhere, "#no-main")).toBe(true);
    expect(await click(elsewhere, "#recover")).toBe("This browser has no main key of this backup.");
  });

  test("reports a request to elsewhere as a violation, which the other tests would see", async () => {
    const tab = await newProfile();
    await open(tab, playground.page);
    await tab.evaluate(`fetch("http://127.0.0.1:1/").catch(() => null)`);
    expect(tab.problems.join()).toContain("Content Security Policy");
  });

  test("fits a phone and a screen, in light and dark colours", async () => {
    const tab = await newProfile();
    await make(tab, "PASSKEY", "a long text".repeat(200));
    const url = await urlOf(tab);
    await expectReadable(tab, "p, a, code, h1, h2, h3, h4, label, button, summary, span, pre", async () => {
      await open(tab, url);
      await click(tab, "#read-events");
      await tab.evaluate(`for (const one of document.querySelectorAll("details")) one.open = true`);
    });
  });

  test("is reached from a page that fits them too", async () => {
    const tab = await newProfile();
    const start = new URL("/", playground.page).href;
    await expectReadable(tab, "h1, h2, p, a, code, th, td", () => tab.open(start));
    expect(await tab.evaluate(`document.querySelector("main a").href`)).toBe(playground.page);
  });

  test("is used by keyboard and read aloud: fields have labels, and the focus is never lost", async () => {
    const tab = await newProfile();
    await make(tab, "EC_KEYPAIR", "focused");
    const unnamed = `[...document.querySelectorAll("input, textarea, select")].filter((one) => one.labels.length === 0)`;
    expect(await tab.evaluate(`${unnamed}.map((one) => one.id)`)).toEqual([]);
    const focus = async (selector: string) => {
      await tab.evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
      await click(tab, selector);
      return tab.evaluate("document.activeElement.id");
    };
    expect(await focus("#refresh")).toBe("refresh");
    expect(await focus("#skip")).toBe("status");
    expect(await focus("#delete")).toBe("status");
    expect(await urlOf(tab)).toContain("#backup_account_");
  });
});
