import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { playground } from "../../src/http/playground.ts";
import { DRIVERS } from "../drivers.ts";
import { sharedService } from "../support/shared-service.ts";

const [driver] = DRIVERS; // it stores nothing
if (driver === undefined) throw new Error("no driver");

const found = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, name = ""]) => name);
const PATHS = ["/playground", "/playground/style.css", "/playground/page.js"];

describe("the playground in development", () => {
  const service = sharedService(driver, { env: { APP_ENV: "development" } });
  const get = (path: string) => fetch(service().url + path);

  test("is a page that loads its own files only, and calls this service only", async () => {
    const response = await get("/playground");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")?.split("; ").toSorted()).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src data:",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
      "trusted-types 'none'",
    ]);
    const html = await response.text();
    expect(found(/(\sstyle="|\son\w+="|<style|<script>)/g, html)).toEqual([]);
    const loaded = found(/<(?:link|script)[^>]*(?:href|src)="([^"]*)"/g, html);
    expect(loaded).toEqual(["data:,", "playground/style.css", "playground/page.js"]);
  });

  test("has a script and a style", async () => {
    const types = await Promise.all(
      PATHS.slice(1).map(async (path) => {
        const response = await get(path);
        return [response.status, response.headers.get("content-type")];
      }),
    );
    expect(types).toEqual([
      [200, "text/css; charset=utf-8"],
      [200, "text/javascript; charset=utf-8"],
    ]);
    expect(await (await get("/playground/style.css")).text()).not.toMatch(/@import|url\(/);
  });

  test("offers accounts where the service issues id_tokens for them", async () => {
    for (const [has, expected] of [
      [true, "<body data-busy data-test-accounts"],
      [false, "<body data-busy>"],
    ] as const) {
      const response = await playground(has).handle(new Request("http://localhost/playground"));
      expect(await response.text()).toContain(expected);
    }
  });

  test("shows a change of its sources after a reload", async () => {
    const folder = await mkdtemp(join(tmpdir(), "playground-"));
    const sources = { "page.html": "<p>", "style.css": "p {}", "main.ts": "console.log" };
    const page = playground(false, pathToFileURL(`${folder}/`));
    try {
      for (const change of ["one", "other"]) {
        const texts = Object.entries(sources).map(
          ([file, start]) => [file, `${start}("${change}")`] as const,
        );
        for (const [file, text] of texts) await Bun.write(join(folder, file), text);
        for (const path of PATHS)
          expect(await (await page.handle(new Request(`http://localhost${path}`))).text()).toContain(change);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each(["/docs", "/guide"])("%s links to it", async (path) => {
    expect(await (await get(path)).text()).toContain('href="playground"');
  });
});

describe("outside development", () => {
  const service = sharedService(driver);

  test("there is no playground, and no link to it", async () => {
    for (const path of PATHS) expect((await fetch(service().url + path)).status).toBe(404);
    for (const path of ["/docs", "/guide"])
      expect(await (await fetch(service().url + path)).text()).not.toContain('href="playground');
  });
});
