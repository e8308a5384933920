/** The playground of a service of its own, as a person uses it in a browser. */
import { expect } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Browser, type Profile, startChromium } from "./chromium.ts";

export interface Playground extends AsyncDisposable {
  readonly service: TestService;
  readonly browser: Browser;
  /** The URL of the page. */
  readonly page: string;
  /**
   * What happens between the service and the page: called with the path of each request once its response is there.
   * Resolves to what the page gets in its place; `null` for the response itself.
   */
  beforeResponse: (path: string) => Promise<Response | null>;
}

export async function startPlayground(): Promise<Playground> {
  const [driver] = DRIVERS; // nothing about a browser depends on it
  if (driver === undefined) throw new Error("there is no driver");
  /** The service by a name and a port that are known before it starts: passkeys are made for them. */
  const site = Bun.serve({
    hostname: "localhost",
    port: 0,
    async fetch(request): Promise<Response> {
      const { pathname } = new URL(request.url);
      const { method, headers, body } = request;
      const response = await fetch(service.url + pathname, { method, headers, body, decompress: false });
      return (await playground.beforeResponse(pathname)) ?? response;
    },
  });
  const origin = `http://localhost:${site.port}`;
  const env = { APP_ENV: "development", WEBAUTHN_ORIGINS: origin };
  const [service, browser] = await Promise.all([startService(driver, { env }), startChromium()]);
  const playground: Playground = {
    service,
    browser,
    page: `${origin}/playground`,
    beforeResponse: async () => null,
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
      await site.stop(true);
    },
  };
  return playground;
}

/** Resolves to the report of the page once no action runs. */
const REPORTED = `new Promise((resolve) => {
  const check = () => document.body.hasAttribute("data-busy")
    || resolve(document.getElementById("status").textContent);
  new MutationObserver(check).observe(document.body, { attributes: true });
  check();
})`;

export const reported = (tab: Profile) => tab.evaluate(REPORTED);

export async function open(tab: Profile, url: string): Promise<unknown> {
  await tab.open("about:blank"); // so that a page with another hash is loaded
  await tab.open(url);
  return reported(tab);
}

export const isVisible = (tab: Profile, selector: string) =>
  tab.evaluate(`document.querySelector(${JSON.stringify(selector)})?.checkVisibility() ?? null`);

/** Clicks what is visible, and resolves to the report of the page afterwards. */
export async function click(tab: Profile, selector: string): Promise<unknown> {
  expect([selector, await isVisible(tab, selector)]).toEqual([selector, true]);
  await tab.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  return reported(tab);
}

export async function type(tab: Profile, id: string, text: string): Promise<void> {
  await tab.evaluate(`document.getElementById("${id}").value = ${JSON.stringify(text)}; 0`);
}

export const textOf = (tab: Profile) => tab.evaluate(`document.getElementById("sync-text").value`);
export const urlOf = async (tab: Profile) => String(await tab.evaluate("location.href"));
export const count = (tab: Profile, selector: string) =>
  tab.evaluate(`document.querySelectorAll(${JSON.stringify(selector)}).length`);

export type MadeKind = "PASSKEY" | "EC_KEYPAIR" | "GOOGLE" | "APPLE";

/** Creates a backup in a tab. @param page the URL of the playground. */
export async function created(tab: Profile, page: string, kind: MadeKind, text: string): Promise<void> {
  expect(await open(tab, page)).toBe("Ready.");
  await click(tab, `#create-${kind}`);
  await type(tab, "create-text", text);
  expect(await click(tab, "#create [type=submit]")).toStartWith("Created.");
  expect(await urlOf(tab)).toMatch(/#backup_account_[0-9a-f]{66}$/);
}

/** Opens a backup as another device: a second tab would have another virtual authenticator. */
export async function openAsNewDevice(tab: Profile): Promise<void> {
  const url = await urlOf(tab);
  await tab.evaluate("sessionStorage.clear()");
  await open(tab, url);
}
