import { expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";
import { startChromium } from "./chromium.ts";

const [driver] = DRIVERS; // nothing about a browser depends on it
if (driver === undefined) throw new Error("there is no driver");

const HTML = '<!doctype html><title>An app</title><script type="module" src="/page.js"></script>';

test("a browser creates, updates, recovers and resets a backup with the client", async () => {
  const bundle = await Bun.build({ entrypoints: [`${import.meta.dir}/client-page.ts`], target: "browser" });
  const [script] = bundle.outputs;
  if (script === undefined) throw new Error("there is no bundle");
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/": new Response(HTML, { headers: { "content-type": "text/html" } }),
      "/page.js": new Response(script, { headers: { "content-type": "text/javascript" } }),
    },
  });
  try {
    await using service = await startService(driver, { env: { CORS_ORIGINS: site.url.origin } });
    await using browser = await startChromium();
    const profile = await browser.newProfile();
    await profile.open(site.url.origin);
    const lived = await profile.call("live", { url: service.url, encryptedKey: "UFJG" });
    expect(lived).toEqual({ backup: "BAUG", manifestHash: "b".repeat(64), status: "not_found" });
  } finally {
    await site.stop(true);
  }
}, 120_000);
