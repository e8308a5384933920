import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { development, problemsOf, production, reads, refuses, requires } from "./environments.ts";

describe("the configuration of passkeys", () => {
  requires(["WEBAUTHN_RP_ID", "WEBAUTHN_ORIGINS"]);

  for (const [port, origin] of [
    ["80", "http://localhost"],
    ["443", "http://localhost:443"],
    ["3000", "http://localhost:3000"],
    ["8100", "http://localhost:8100"],
  ] as const)
    test(`has the origin of development as browsers write it, at port ${port}`, () => {
      expect(loadConfig({ ...development, PORT: port }).webauthn.origins).toEqual([origin]);
    });

  reads([
    [
      { WEBAUTHN_RP_ID: "a.b-c.example", WEBAUTHN_RP_NAME: "Büro" },
      { webauthn: { rpId: "a.b-c.example", rpName: "Büro" } },
    ],
    [
      {
        WEBAUTHN_ORIGINS:
          "https://a.example, https://b.example:8443 ,http://localhost:3000,android:apk-key-hash:aB_-9",
      },
      {
        webauthn: {
          origins: [
            "https://a.example",
            "https://b.example:8443",
            "http://localhost:3000",
            "android:apk-key-hash:aB_-9",
          ],
        },
      },
    ],
  ]);

  refuses([
    [
      "WEBAUTHN_RP_ID",
      [
        "https://backup.example",
        "backup.example/",
        "Backup.example",
        "a..b",
        "-a.example",
        "a_b",
        "*.example",
      ],
    ],
    ["WEBAUTHN_ORIGINS", [","]],
  ]);

  test.each([
    "https://backup.example/",
    "https://backup.example/path",
    "https://Backup.example",
    "https://backup.example:443",
    "https://user@backup.example",
    "http://backup.example",
    "http://127.0.0.1",
    "backup.example",
    "*",
    "null",
    "ws://localhost",
    "android:apk-key-hash:",
    "android:apk-key-hash:a+b=",
    "ios:bundle-id:org.example",
  ])("refuses %s as an origin", (origin) => {
    const problems = problemsOf({ ...production, WEBAUTHN_ORIGINS: `https://backup.example,${origin}` });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("WEBAUTHN_ORIGINS");
  });
});
