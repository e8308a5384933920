import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { problemsOf, production, reads, refuses } from "./environments.ts";

const FINGERPRINT = Array.from({ length: 32 }, (_, index) =>
  index.toString(16).padStart(2, "0").toUpperCase(),
).join(":");
const OTHER = FINGERPRINT.replaceAll("0", "F");

const linksWith = (origins: readonly string[], rpId = "example.com") =>
  loadConfig({ ...production, WEBAUTHN_RP_ID: rpId, WEBAUTHN_ORIGINS: origins.join(",") }).appLinks;

describe("apps and sites of the relying party", () => {
  reads([
    [{}, { appLinks: { android: [], apple: [], relatedOrigins: [] } }],
    [
      { ANDROID_APPS: `com.example.app=${FINGERPRINT}, com.example.app2=${OTHER},com.example.app=${OTHER}` },
      {
        appLinks: {
          android: [
            { packageName: "com.example.app", fingerprints: [FINGERPRINT, OTHER] },
            { packageName: "com.example.app2", fingerprints: [OTHER] },
          ],
        },
      },
    ],
    [
      { APPLE_APPS: "ABCDE12345.com.example.app,0123456789.a" },
      { appLinks: { apple: ["ABCDE12345.com.example.app", "0123456789.a"] } },
    ],
  ]);
  refuses([
    [
      "ANDROID_APPS",
      [
        "com.example.app",
        FINGERPRINT,
        `app=${FINGERPRINT}`,
        `com.1app=${FINGERPRINT}`,
        `com.example.app=${FINGERPRINT.toLowerCase()}`,
        `com.example.app=${FINGERPRINT.slice(3)}`,
        `com.example.app=${FINGERPRINT}:00`,
        `com.example.app=${FINGERPRINT.replaceAll(":", "")}`,
      ],
    ],
    [
      "APPLE_APPS",
      [
        "com.example.app",
        "abcde12345.com.example.app",
        "ABCDE1234.com.example",
        "ABCDE12345.",
        "ABCDE12345.*",
      ],
    ],
  ]);

  test("related origins are those of web pages outside its domain", () => {
    const outside = ["https://example.de", "https://notexample.com", "https://example.com.evil.example:8443"];
    const inside = ["https://example.com", "https://app.example.com:444", "android:apk-key-hash:dGVzdA"];
    expect(linksWith([...inside, ...outside]).relatedOrigins).toEqual(outside);
  });

  test("related origins have at most the five names that browsers take", () => {
    const five = ["https://a.de", "https://www.b.co.uk", "https://c.org", "https://d.io", "https://e.com.au"];
    const same = [
      "https://a.fr",
      "https://x.a.it",
      "https://b.co.jp",
      "https://one.bcd.de",
      "https://two.bcd.de",
    ];
    expect(linksWith(five).relatedOrigins).toEqual(five);
    expect(linksWith([...five.slice(0, 4), ...same]).relatedOrigins).toHaveLength(9);
    const problems = problemsOf({
      ...production,
      WEBAUTHN_RP_ID: "example.com",
      WEBAUTHN_ORIGINS: [...five, "https://f.ch"].join(","),
    });
    expect(problems).toEqual([
      "WEBAUTHN_ORIGINS has origins of 6 names outside example.com (a, b, c, d, e, f): browsers take 5",
    ]);
  });
});
