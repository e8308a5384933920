import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { startService } from "../support/service.ts";

const [driver] = DRIVERS; // it stores nothing
if (driver === undefined) throw new Error("no driver");

const start = (env: Readonly<Record<string, string>>) => startService(driver, { env });
const get = (url: string) => fetch(`${url}/`, { redirect: "manual" });

describe("the first page in development", () => {
  test("leads to pages that exist, says what is configured, and loads nothing", async () => {
    await using service = await start({ APP_ENV: "development", WEBAUTHN_ORIGINS: "http://localhost:9" });
    const response = await get(service.url);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    );
    const html = await response.text();
    expect(html).not.toMatch(/<script|\ssrc=|@import|url\(|\sstyle="/);
    const links = [...html.matchAll(/<a href="([^"]*)"/g)].map(([, href = ""]) => href);
    expect(links).toEqual(["playground", "guide", "docs"]);
    for (const link of links) expect((await fetch(`${service.url}/${link}`)).status).toBe(200);
    expect(html).toContain("<td>http://localhost:9</td>");
    expect(html).toContain("<td>test accounts, which any client may make up</td>");
  });

  test("names no page that is not there, and the accounts that are configured", async () => {
    await using service = await start({
      APP_ENV: "development",
      API_REFERENCE: "false",
      GOOGLE_CLIENT_ID: "client",
    });
    const html = await (await get(service.url)).text();
    expect(html).toContain('href="playground"');
    expect(html).not.toMatch(/href="(guide|docs)"/);
    expect(html).toContain("<td>Google</td>");
  });
});

describe("the first page outside development", () => {
  test("is the API reference where that is served", async () => {
    await using service = await start({});
    const response = await get(service.url);
    expect([response.status, response.headers.get("location")]).toEqual([302, "docs"]);
  });

  test("is not there in production", async () => {
    await using service = await start({ APP_ENV: "production" });
    const response = await get(service.url);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: "not_found" } });
  });
});
