import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { assetResponse, textAsset } from "../../../src/http/response/asset.ts";
import { DRIVERS } from "../../drivers.ts";
import { sharedService } from "../../support/shared-service.ts";

const TEXT = "the same text, ".repeat(100);
const asset = await textAsset(TEXT, "text/plain");
const respond = (headers: Record<string, string>) =>
  assetResponse(new Request("http://localhost/", { headers }), asset);

describe("an asset", () => {
  test("is sent compressed, or plain to a client that accepts nothing else", async () => {
    const compressed = await respond({ "accept-encoding": "gzip" });
    const plain = await respond({});
    expect(compressed.headers.get("content-encoding")).toBe("gzip");
    expect(gunzipSync(await compressed.bytes()).toString()).toBe(TEXT);
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await plain.text()).toBe(TEXT);
    for (const { headers, status } of [compressed, plain]) {
      expect(status).toBe(200);
      expect(headers.get("vary")).toBe("accept-encoding");
      expect(headers.get("content-type")).toBe("text/plain");
      expect(headers.get("cache-control")).toBe("no-cache");
      expect(headers.get("etag")).toBe(asset.etag);
    }
  });

  const strong = asset.etag.slice("W/".length);
  for (const current of [asset.etag, strong, `"other", ${asset.etag}`, `W/"a",${strong}`, "*"])
    test(`is not sent again to a cache that has ${current}`, async () => {
      const response = await respond({ "if-none-match": current });
      expect([response.status, await response.text()]).toEqual([304, ""]);
      expect(response.headers.get("etag")).toBe(asset.etag);
      expect(response.headers.get("cache-control")).toBe("no-cache");
      expect(response.headers.get("vary")).toBe("accept-encoding");
    });

  for (const other of ['"other"', "", asset.etag.slice(0, -2), 'W/""'])
    test(`is sent to a cache that has ${other || "nothing"}`, async () => {
      expect((await respond({ "if-none-match": other })).status).toBe(200);
    });

  test("has another etag when it is another one", async () => {
    expect((await textAsset(`${TEXT}.`, "text/plain")).etag).not.toBe(asset.etag);
    expect((await textAsset(TEXT, "text/plain")).etag).toBe(asset.etag);
  });
});

const [driver] = DRIVERS; // it stores nothing
if (driver === undefined) throw new Error("there is no driver");

describe("the files of the API reference", () => {
  const service = sharedService(driver);

  test.each(["/docs", "/docs/scalar.js", "/docs/openapi.json", "/openapi.json", "/openapi-3.0.json"])(
    "%s is revalidated",
    async (path) => {
      const first = await fetch(service().url + path);
      const etag = first.headers.get("etag") ?? "";
      expect([first.status, (await first.bytes()).length > 1000]).toEqual([200, true]);
      const second = await fetch(service().url + path, { headers: { "if-none-match": etag } });
      expect([second.status, await second.text(), second.headers.get("etag")]).toEqual([304, "", etag]);
      const head = await fetch(service().url + path, { method: "HEAD" });
      expect([head.status, head.headers.get("etag")]).toEqual([200, etag]);
    },
  );
});
