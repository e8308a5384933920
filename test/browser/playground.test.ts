/** The playground, as a person uses it. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { importP256PublicKey, verifyP256 } from "../../src/crypto/ecdsa.ts";
import { DRIVERS } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Browser, type Profile, startChromium } from "./chromium.ts";
import { expectReadable } from "./readable.ts";

const [driver] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

let service: TestService;
let browser: Browser;
/** The service by a name and a port that are known before it starts: passkeys are made for them. */
const site = Bun.serve({
  hostname: "localhost",
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    const { method, headers, body } = request;
    return fetch(service.url + pathname, { method, headers, body, decompress: false });
  },
});
const origin = `http://localhost:${site.port}`;
const page = `${origin}/playground`;

beforeAll(async () => {
  const env = { APP_ENV: "development", WEBAUTHN_ORIGINS: origin };
  [service, browser] = await Promise.all([startService(driver, { env }), startChromium()]);
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  await site.stop(true);
});

/** Resolves to the report of the page once no action runs. */
const REPORTED = `new Promise((resolve) => {
  const check = () => document.body.hasAttribute("data-busy")
    || resolve(document.getElementById("status").textContent);
  new MutationObserver(check).observe(document.body, { attributes: true });
  check();
})`;

async function open(tab: Profile, url: string): Promise<unknown> {
  await tab.open("about:blank"); // so that a page with another hash is loaded
  await tab.open(url);
  return tab.evaluate(REPORTED);
}

/** Clicks what is visible, and resolves to the report of the page afterwards. */
async function click(tab: Profile, selector: string): Promise<unknown> {
  const element = `document.querySelector(${JSON.stringify(selector)})`;
  expect([selector, await tab.evaluate(`${element}?.checkVisibility() ?? null`)]).toEqual([selector, true]);
  await tab.evaluate(`${element}.click()`);
  return tab.evaluate(REPORTED);
}

async function type(tab: Profile, id: string, text: string): Promise<void> {
  await tab.evaluate(`document.getElementById("${id}").value = ${JSON.stringify(text)}; 0`);
}

const textOf = (tab: Profile) => tab.evaluate(`document.getElementById("sync-text").value`);
const urlOf = async (tab: Profile) => String(await tab.evaluate("location.href"));
const count = (tab: Profile, selector: string) =>
  tab.evaluate(`document.querySelectorAll(${JSON.stringify(selector)}).length`);

/** Its place among the texts of the log, after a create with a key. */
const CREATE_REQUEST = 10;

/** The texts of the log: signed bytes, signatures, requests, responses. */
const blocks = async (tab: Profile) =>
  Value.Parse(
    Type.Array(Type.String()),
    await tab.evaluate(`[...document.querySelectorAll("#log pre")].map((one) => one.textContent)`),
  );

async function created(tab: Profile, kind: "passkey" | "keypair", text: string): Promise<void> {
  expect(await open(tab, page)).toBe("Ready.");
  await click(tab, `#create-${kind}`);
  await type(tab, "create-text", text);
  expect(await click(tab, "#create [type=submit]")).toStartWith("Created.");
  expect(await urlOf(tab)).toMatch(/#backup_account_[0-9a-f]{66}$/);
}

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
  expect(new Set(hosts)).toEqual(new Set([origin]));
}

describe("the playground", () => {
  test("goes through the life of a backup with a key, in two tabs", async () => {
    const tab = await browser.newProfile();
    await created(tab, "keypair", "first");
    const other = await browser.newTab(tab);
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
    const tab = await browser.newProfile();
    await created(tab, "passkey", "first");
    // what makes another device of a tab; a second tab would have another virtual authenticator
    await tab.evaluate("sessionStorage.clear()");
    await open(tab, await urlOf(tab));
    await live(tab);

    expect(await click(tab, "#add-EC_KEYPAIR")).toStartWith("Added.");
    expect(await click(tab, "#main-factors li:first-child button")).toBe("Removed.");
    expect(await click(tab, "#fetch")).toBe("Fetched.");
    expect(await click(tab, "#main-factors button")).toContain("so the backup is deleted");
    expectQuiet(tab);
  });

  test("finds the backup of a passkey without its id", async () => {
    const tab = await browser.newProfile();
    await created(tab, "passkey", "found");
    await tab.evaluate("sessionStorage.clear()");
    await open(tab, page);
    expect(await click(tab, "#find")).toStartWith("Recovered.");
    expect(await textOf(tab)).toBe("found");
  });

  test("shows requests, responses and the bytes that were signed, with a signature that is right", async () => {
    const tab = await browser.newProfile();
    await created(tab, "keypair", "shown");
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
    const tab = await browser.newProfile();
    await created(tab, "passkey", "signed");
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
    const tab = await browser.newProfile();
    await created(tab, "keypair", "one of two");
    const visible = (id: string) => tab.evaluate(`document.getElementById("${id}").checkVisibility()`);
    const go = async (way: "back" | "forward") => {
      await tab.evaluate(`new Promise((resolve) => {
        addEventListener("hashchange", resolve, { once: true });
        history.${way}();
      }).then(() => 0)`);
      expect(await tab.evaluate(REPORTED)).toBe("Ready.");
    };
    await go("back");
    expect([await visible("start"), await visible("text")]).toEqual([true, false]);
    await go("forward");
    expect([await visible("start"), await visible("text")]).toEqual([false, true]);
  });

  test("says so where the main key is in another browser", async () => {
    const tab = await browser.newProfile();
    await created(tab, "keypair", "elsewhere");
    const elsewhere = await browser.newProfile();
    await open(elsewhere, await urlOf(tab));
    expect(await elsewhere.evaluate(`document.getElementById("no-main").checkVisibility()`)).toBe(true);
    expect(await click(elsewhere, "#recover")).toBe("This browser has no main key of this backup.");
  });

  test("reports a request to elsewhere as a violation, which the other tests would see", async () => {
    const tab = await browser.newProfile();
    await open(tab, page);
    await tab.evaluate(`fetch("http://127.0.0.1:1/").catch(() => null)`);
    expect(tab.problems.join()).toContain("Content Security Policy");
  });

  test("fits a phone and a screen, in light and dark colours", async () => {
    const tab = await browser.newProfile();
    await created(tab, "passkey", "a long text".repeat(200));
    const url = await urlOf(tab);
    await expectReadable(tab, "p, a, code, h1, h2, h3, h4, label, button, summary, span, pre", async () => {
      await open(tab, url);
      await click(tab, "#read-events");
      await tab.evaluate(`for (const one of document.querySelectorAll("details")) one.open = true`);
    });
  });

  test("is used by keyboard and read aloud: fields have labels, and the focus is never lost", async () => {
    const tab = await browser.newProfile();
    await created(tab, "keypair", "focused");
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
