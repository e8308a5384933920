import { describe, expect, test } from "bun:test";
import { pathOf } from "../../src/http/path.ts";

describe("the path of a request", () => {
  const urls = [
    "http://a/health",
    "http://localhost:8000/v1/create?x=/y#/z",
    "http://localhost:8000/?/v1/create",
    "http://localhost:8000",
    "http://[::1]:8000/a//b/",
    "http://localhost/%2e%2e/v1/../create",
    "http://localhost/a#b",
    "http://user:pass@localhost/v1",
  ];
  for (const url of urls)
    test(`of ${url} is what parsing it would give`, () => {
      expect(pathOf(new Request(url))).toBe(new URL(url).pathname);
    });
});
