/** The API reference, as a person reads it. Other hosts cannot be reached: see the flags of the browser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Browser, type Profile, startChromium } from "./chromium.ts";
import { expectReadable } from "./readable.ts";

const [driver] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

const CREATE = "#tag/backups/POST/v1/create";
const HEALTH = "#tag/service/GET/health";

let service: TestService;
let browser: Browser;

beforeAll(async () => {
  const env = { APP_ENV: "development" };
  [service, browser] = await Promise.all([startService(driver, { env }), startChromium()]);
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

/** Waits until an expression is true, or an element that it looks for is there. */
async function seen(tab: Profile, expression: string): Promise<void> {
  await tab.evaluate(`new Promise((resolve) => {
    const check = () => {
      if (${expression}) resolve(true);
      else requestAnimationFrame(check);
    };
    check();
  })`);
}

/** Clicks the first visible element of a selector that has this text, once it is there. */
async function click(tab: Profile, selector: string, text: string): Promise<void> {
  const found = `[...document.querySelectorAll(${JSON.stringify(selector)})].find((one) =>
    one.checkVisibility() && one.textContent.includes(${JSON.stringify(text)}))`;
  await seen(tab, `(() => { const one = ${found}; one?.click(); return one !== undefined; })()`);
}

async function open(tab: Profile, hash: string, base = service.url): Promise<void> {
  await tab.open("about:blank"); // so that a page with another hash is loaded
  await tab.open(`${base}/docs${hash}`);
  await seen(tab, `document.querySelector("#reference h1")`);
}

/** The block with the sample and the button for a request of an operation. */
const card = (path: string) =>
  `[...document.querySelectorAll(".request-card")].find((one) => one.textContent.includes(${JSON.stringify(path)}))`;

/** The page called nobody else, and nothing was reported. */
function expectQuiet(tab: Profile): void {
  expect(tab.problems).toEqual([]);
  const hosts = tab.requests.filter((url) => /^(https?|wss?):/.test(url)).map((url) => new URL(url).origin);
  expect(new Set(hosts)).toEqual(new Set([service.url]));
}

describe("the API reference", () => {
  test("shows an operation with a sample in each language, for this very service", async () => {
    const tab = await browser.newProfile();
    await open(tab, CREATE);
    await seen(tab, `${card("/v1/create")}?.innerText.includes("curl ${service.url}/v1/create")`);
    const menu = `${card("/v1/create")}.querySelector("[data-testid=client-picker]")`;
    for (const [language, code] of [
      ["TypeScript", `createBackupClient({ url: "${service.url}" })`],
      ["Swift", `URLRequest(url: URL(string: "${service.url}/v1/create")!)`],
      ["Kotlin", `Request.Builder().url("${service.url}/v1/create")`],
      ["Python", `"${service.url}/v1/create"`],
    ] as const) {
      await tab.evaluate(`${menu}.click()`);
      await click(tab, "[role=option]", language);
      await seen(tab, `${card("/v1/create")}.textContent.includes(${JSON.stringify(code)})`);
    }
    expectQuiet(tab);
  });

  test("finds operations", async () => {
    const tab = await browser.newProfile();
    await tab.show(1280, "light");
    await open(tab, "");
    await click(tab, "button", "Search");
    await seen(tab, `document.querySelector("[role=dialog] input")`);
    await tab.evaluate(`(() => {
      const input = document.querySelector("[role=dialog] input");
      input.value = "bring back";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    })()`);
    await click(tab, "[role=dialog] a", "Bring back a deleted backup");
    await seen(tab, `location.hash.includes("undelete")`);
    expectQuiet(tab);
  });

  test("sends a request to the service, and shows its response", async () => {
    const tab = await browser.newProfile();
    await open(tab, HEALTH);
    await seen(tab, `${card("/health")}?.textContent.includes("Test Request")`);
    await tab.evaluate(`[...${card("/health")}.querySelectorAll("button")].at(-1).click()`);
    await click(tab, "[role=dialog] button", "Send");
    await seen(tab, `document.querySelector("[role=dialog]").innerText.includes("200 OK")`);
    expect(tab.requests.filter((url) => url === `${service.url}/health`)).toHaveLength(1);
    expectQuiet(tab);
  });

  test("is for the service below a path of a proxy", async () => {
    const prefix = "/backups";
    const proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        const { pathname } = new URL(request.url);
        if (!pathname.startsWith(`${prefix}/`)) return new Response("another site", { status: 404 });
        return fetch(service.url + pathname.slice(prefix.length), { redirect: "manual", decompress: false });
      },
    });
    const base = `${proxy.url.origin}${prefix}`;
    const tab = await browser.newProfile();
    await tab.open(`${base}/guide`);
    await tab.follow("nav a");
    expect(await tab.evaluate("location.pathname")).toBe(`${prefix}/docs`);
    await open(tab, HEALTH, base);
    await seen(tab, `${card("/health")}?.innerText.includes("curl ${base}/health")`);
    await tab.evaluate(`[...${card("/health")}.querySelectorAll("button")].at(-1).click()`);
    await click(tab, "[role=dialog] button", "Send");
    await seen(tab, `document.querySelector("[role=dialog]").innerText.includes("200 OK")`);
    expect(tab.requests).toContain(`${base}/health`);
    const left = tab.requests.filter((url) => url.startsWith("http") && !url.startsWith(`${base}/`));
    expect(left).toEqual([]);
    expect(tab.problems).toEqual([]);
    await proxy.stop(true);
  });

  test("has dark colours for those who choose them", async () => {
    const tab = await browser.newProfile();
    await tab.show(1280, "light");
    await open(tab, "");
    expect(await tab.evaluate(`document.body.classList.contains("dark-mode")`)).toBe(false);
    await click(tab, "#reference button[aria-pressed]", "");
    await seen(tab, `document.body.classList.contains("dark-mode")`);
    expectQuiet(tab);
  });

  test("fits a phone and a screen, in light and dark colours", async () => {
    const tab = await browser.newProfile();
    await expectReadable(
      tab,
      "header a, #reference h1, #reference h2, #reference h3, #reference p, #reference a",
      async () => {
        await open(tab, CREATE);
        await seen(tab, `${card("/v1/create")}?.innerText.includes("curl")`);
      },
    );
    expectQuiet(tab);
  });

  test("reports a request to elsewhere, which the other tests would see", async () => {
    const tab = await browser.newProfile();
    await open(tab, "");
    await tab.evaluate(`fetch("https://api.example.com/").catch(() => null)`);
    expect(tab.problems.join()).toContain("Content Security Policy");
    expect(() => expectQuiet(tab)).toThrow();
  });
});
