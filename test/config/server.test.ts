import { describe, expect, test } from "bun:test";
import { loadLocalUrl } from "../../src/config/server.ts";
import { development, problemsOf, reads, refuses, requires } from "./environments.ts";

describe("the URL of the service for another process of its machine", () => {
  test.each([
    [{}, "http://127.0.0.1:8000"],
    [{ HOST: "0.0.0.0", PORT: "80" }, "http://127.0.0.1:80"],
    [{ HOST: "::" }, "http://[::1]:8000"],
    [{ HOST: "10.0.0.7", APP_ENV: "development" }, "http://10.0.0.7:8000"],
  ])("%j is %s", (env, url) => expect(loadLocalUrl(env)).toBe(url));

  test("is not known where the system chooses the port", () => {
    expect(() => loadLocalUrl({ PORT: "0" })).toThrow("configuration");
  });
});

describe("the configuration of the server", () => {
  requires(["TRUSTED_PROXY_HOPS"]);

  reads([
    [{ HOST: " ::1 " }, { server: { host: "::1", metricsHost: "::1" } }],
    [{ METRICS_HOST: "::1" }, { server: { host: "127.0.0.1", metricsHost: "::1" } }],
    [{ SHUTDOWN_DRAIN_SECONDS: "0" }, { server: { shutdownDrainSeconds: 0 } }],
    [{ SHUTDOWN_DRAIN_SECONDS: "600" }, { server: { shutdownDrainSeconds: 600 } }],
    [{ PORT: "0", METRICS_PORT: "0" }, { server: { port: 0, metricsPort: 0 } }],
    [{ PORT: "65535", METRICS_PORT: "1" }, { server: { port: 65535, metricsPort: 1 } }],
    [{ REUSE_PORT: "true" }, { server: { reusePort: true } }],
    [{ TRUSTED_PROXY_HOPS: "2" }, { server: { trustedProxyHops: 2 } }],
    [
      { CORS_ORIGINS: "https://a.example, http://b.example:8080,capacitor://localhost,http://[::1]:3000" },
      {
        server: {
          cors: {
            origins: [
              "https://a.example",
              "http://b.example:8080",
              "capacitor://localhost",
              "http://[::1]:3000",
            ],
          },
        },
      },
    ],
  ]);

  refuses([
    ["PORT", ["-1", "65536", "80a", "1e3", "0x50", "8000.5", "９"]],
    ["METRICS_PORT", ["-1", "65536", "none"]],
    ["TRUSTED_PROXY_HOPS", ["-1", "11", "one", "1.0"]],
    ["SHUTDOWN_DRAIN_SECONDS", ["-1", "601", "10s"]],
    [
      "CORS_ORIGINS",
      [
        "*",
        "https://*",
        "https://*.example",
        "null",
        "app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://App.example",
        "HTTPS://app.example",
        "https://app.example:443",
        "https://user@app.example",
        "https://",
        "http://999.1.1.1",
        "capacitor://",
        "capacitor://localhost/",
        "https://good.example,*",
      ],
    ],
  ]);

  test("refuses one port for both listeners", () => {
    expect(problemsOf({ ...development, PORT: "8080", METRICS_PORT: "8080" })).toEqual([
      "PORT and METRICS_PORT are both 8080",
    ]);
  });
});

describe("the configuration of the log", () => {
  reads([
    ...["trace", "debug", "info", "warn", "error", "fatal"].map(
      (level) => [{ LOG_LEVEL: level }, { log: { level } }] as const,
    ),
    [{ LOG_FORMAT: "json" }, { log: { format: "json" } }],
    [{ LOG_FORMAT: "pretty" }, { log: { format: "pretty" } }],
  ]);

  refuses([
    ["LOG_LEVEL", ["verbose", "INFO", "silent"]],
    ["LOG_FORMAT", ["text", "JSON"]],
  ]);
});
