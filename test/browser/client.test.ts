/** The client as `bun run build:client` makes it, in a page. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { expectedLife } from "../client/journey.ts";
import { DRIVERS } from "../drivers.ts";
import { type InstalledClient, installClient } from "../support/installed-client.ts";
import { startService, type TestService } from "../support/service.ts";
import { type Browser, startChromium } from "./chromium.ts";

const [driver] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

const HTML = `<!doctype html><title>An app</title><script type="module">
  import * as client from "/client/index.min.js";
  import * as accountKeys from "/client/account-key.min.js";
  import { live } from "/journey.js";
  window.app = { live: (journey) => live(client, accountKeys, journey) };
</script>`;

describe("a page with the built client", () => {
  let installed: InstalledClient;
  let service: TestService;
  let browser: Browser;
  let journey: Blob;
  const site = Bun.serve({
    hostname: "localhost",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/") return new Response(HTML, { headers: { "content-type": "text/html" } });
      const script = pathname.startsWith("/client/")
        ? Bun.file(join(installed.client, pathname.slice("/client/".length)))
        : journey;
      return new Response(script, { headers: { "content-type": "text/javascript" } });
    },
  });
  const origin = `http://localhost:${site.port}`;

  beforeAll(async () => {
    const bundle = await Bun.build({
      entrypoints: [join(import.meta.dir, "../client/journey.ts")],
      target: "browser",
    });
    const [script] = bundle.outputs;
    if (script === undefined) throw new Error("there is no journey");
    journey = script;
    const env = { CORS_ORIGINS: origin, WEBAUTHN_ORIGINS: origin, WEBAUTHN_RP_ID: "localhost" };
    [installed, service, browser] = await Promise.all([
      installClient(),
      startService(driver, { env }),
      startChromium(),
    ]);
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await service[Symbol.asyncDispose]();
    await installed[Symbol.asyncDispose]();
    await site.stop(true);
  });

  test.each([
    ["a keypair", false, "EC_KEYPAIR"],
    ["a passkey, whose secret stays in the page", true, "PASSKEY"],
  ] as const)("creates, recovers, updates and brings back a backup with %s", async (_, withPasskey, kind) => {
    const profile = await browser.newProfile();
    await profile.open(`${origin}/`);
    const lived = await profile.call("live", { url: service.url, withPasskey });
    expect(lived).toEqual(expectedLife(kind));
  });
});
