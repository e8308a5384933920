import { afterAll, beforeAll, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Browser, type Profile, startChromium } from "./chromium.ts";

const [driver] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

const CHALLENGE = "/v1/retrieve/challenge/keypair";

/** The page of an app on another origin than the service. */
const PAGE = `<!doctype html><title>An app</title><script>
  const app = {
    async post({ url, body }) {
      const headers = { "content-type": "application/json", "attestation-token": "x", "client-name": "web",
        "client-version": "1", "x-request-id": "of-the-page" };
      try {
        const response = await fetch(url, { method: "POST", headers, body });
        const { error } = await response.json();
        return [response.status, error?.code ?? null, response.headers.get("x-request-id")];
      } catch {
        return "refused by the browser";
      }
    },
  };
</script>`;

const startSite = () =>
  Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response(PAGE, { headers: { "content-type": "text/html" } }),
  });

const [allowed, other] = [startSite(), startSite()];
let service: TestService;
let browser: Browser;
let profile: Profile;
beforeAll(async () => {
  [service, browser] = await Promise.all([
    startService(driver, { env: { CORS_ORIGINS: allowed.url.origin } }),
    startChromium(),
  ]);
  profile = await browser.newProfile();
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  await Promise.all([allowed.stop(true), other.stop(true)]);
});

const post = (path: string, body: string) => profile.call("post", { url: service.url + path, body });

test("a page of a configured origin calls the API and reads errors and request ids", async () => {
  await profile.open(allowed.url.origin);
  expect(await post(CHALLENGE, "{}")).toEqual([200, null, "of-the-page"]);
  expect(await post(CHALLENGE, "{")).toEqual([400, "invalid_payload", "of-the-page"]);
  expect(await post("/v1/retrieve/from-challenge", "{}")).toEqual([422, "invalid_payload", "of-the-page"]);
});

test("a page of another origin is refused by the browser, and its request never arrives", async () => {
  await profile.open(other.url.origin);
  const before = service.logged.length;
  expect(await post(CHALLENGE, "{}")).toBe("refused by the browser");
  const methods = service.logged.slice(before).map((line) => JSON.parse(line).method);
  expect(methods).toEqual(["OPTIONS"]);
});
