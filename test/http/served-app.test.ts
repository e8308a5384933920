import { describe, expect, test } from "bun:test";
import { loadConfig, loadConfigs } from "../../src/config/config.ts";
import { createAppChoice, type ServedApp } from "../../src/http/served-app.ts";
import { createRequestLimits } from "../../src/limits/request-limits.ts";
import { appsEnv } from "../support/apps.ts";

const FILE = {
  header: "x-app",
  apps: [
    { name: "one", hosts: ["one.example", "1.example", "[::1]", "127.0.0.1"], headerValues: ["first"] },
    { name: "two", hosts: ["two.example"], headerValues: ["second", "2"] },
    { name: "three", headerValues: ["third"] },
  ],
};

const limiter = {
  check() {},
  count() {},
  reserve: () => ({ count() {}, [Symbol.dispose]() {} }),
};
const requestLimits = createRequestLimits(null, limiter);
const served = (name: string | null): ServedApp => ({ name, requestLimits, handle: () => new Response() });

/** Which app a request is for, behind so many proxies. */
function chosen(hops: number, url: string, headers: Record<string, string> = {}, withHeader = true) {
  const { APPS_FILE } = appsEnv(
    withHeader ? FILE.apps : FILE.apps.map(({ name, hosts = [`${name}.example`] }) => ({ name, hosts })),
    withHeader ? { header: FILE.header } : {},
  );
  const env = { APP_ENV: "development", TRUSTED_PROXY_HOPS: "1", APPS_FILE };
  const configs = loadConfigs(env).map((config) => ({
    ...config,
    server: { ...config.server, trustedProxyHops: hops },
  }));
  const choose = createAppChoice(
    configs.map((config) => ({ config, served: served(config.app?.name ?? null) })),
  );
  const request = new Request(url, { headers });
  return choose(request, new URL(url).pathname)?.name;
}

const PATH = "/v1/sync";

describe("the app of a request", () => {
  test("is the only one where there is one, whatever the request says", () => {
    const config = loadConfig({ APP_ENV: "development", TRUSTED_PROXY_HOPS: "1" });
    const only = served(null);
    const choose = createAppChoice([{ config, served: only }]);
    for (const headers of [{}, { "x-app": "second" }, { "x-forwarded-host": "two.example" }])
      expect(choose(new Request(`http://any.example${PATH}`, { headers }), PATH)).toBe(only);
  });

  test.each([
    ["http://one.example", "one"],
    ["http://one.example:8000", "one"],
    ["https://ONE.EXAMPLE", "one"],
    ["http://one.example.", "one"],
    ["http://1.example", "one"],
    ["http://[::1]:8000", "one"],
    ["http://127.0.0.1:8000", "one"],
    ["http://two.example", "two"],
    ["http://three.example", undefined],
    ["http://sub.one.example", undefined],
    ["http://one.example.evil.example", undefined],
    ["http://localhost", undefined],
  ])("is that of the host name: %s", (origin, app) => {
    for (const path of ["/v1/sync", "/v1/", "/v1/no/such/path", "/dev/id-token", "/.well-known/webauthn"])
      expect(chosen(0, origin + path)).toBe(app);
  });

  test.each(["/health", "/ready", "/", "/docs", "/v1", "/v10/sync", "/.well-known"])(
    "is the first one for a path of the process: %s",
    (path) => expect(chosen(0, `http://no.example${path}`)).toBe("one"),
  );

  test.each([
    [0, "two.example", "one"], // a client may have sent it
    [1, "two.example", "two"],
    [1, "two.example:443", "two"],
    [1, "TWO.example", "two"],
    [1, "no.example", undefined],
    [1, "one.example, two.example", "two"],
    [2, "one.example, two.example, 1.example", "two"],
    [2, "two.example", "two"],
    [2, "two.example,no.example", "two"],
    [1, "", undefined],
    [1, "two example", undefined],
    [1, "one.example,", undefined],
  ])("behind %d proxies with x-forwarded-host %p is %p", (hops, forwarded, app) => {
    expect(chosen(hops, `http://one.example${PATH}`, { "x-forwarded-host": forwarded }, false)).toBe(app);
  });

  test.each([
    ["first", "one"],
    ["second", "two"],
    ["2", "two"],
    ["third", "three"],
    ["Second", undefined],
    ["", undefined],
    ["first, second", undefined],
    ["one", undefined],
  ])("is that of the proxy's header, whatever the host: %p", (value, app) => {
    const headers = { "x-app": value, "x-forwarded-host": "two.example" };
    expect(chosen(1, `http://one.example${PATH}`, headers)).toBe(app);
  });

  test("is that of the host where the proxy sends no header, and a header that is not configured says nothing", () => {
    expect(chosen(1, `http://two.example${PATH}`)).toBe("two");
    expect(chosen(1, `http://one.example${PATH}`, { "x-app": "second" }, false)).toBe("one");
  });
});
