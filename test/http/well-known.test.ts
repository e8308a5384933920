import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { appsEnv, TWO_APPS } from "../support/apps.ts";
import { startService, type TestService } from "../support/service.ts";

const [driver] = DRIVERS; // the documents are made of the configuration
if (driver === undefined) throw new Error("there is no driver");

const FINGERPRINTS = ["AB", "01"].map((byte) => Array.from({ length: 32 }, () => byte).join(":"));
const DOCUMENTS = ["assetlinks.json", "apple-app-site-association", "webauthn"] as const;

async function documents(service: TestService, host = "any.example") {
  return Promise.all(
    DOCUMENTS.map(async (name) => {
      const response = await fetch(`${service.url}/.well-known/${name}`, {
        headers: { "x-forwarded-host": host },
        redirect: "error",
      });
      if (response.status !== 200) return response.status;
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      return response.json();
    }),
  );
}

const SETTINGS = {
  WEBAUTHN_RP_ID: "example.com",
  WEBAUTHN_ORIGINS:
    "https://example.com,https://login.example.com,https://example.de,android:apk-key-hash:dGVzdA",
  ANDROID_APPS: FINGERPRINTS.map((fingerprint) => `com.example.app=${fingerprint}`).join(","),
  APPLE_APPS: "ABCDE12345.com.example.app",
};
const SERVED = [
  [
    {
      relation: ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
      target: {
        namespace: "android_app",
        package_name: "com.example.app",
        sha256_cert_fingerprints: FINGERPRINTS,
      },
    },
  ],
  { webcredentials: { apps: ["ABCDE12345.com.example.app"] } },
  { origins: ["https://example.de"] },
];

describe("the documents of the relying party", () => {
  let service: TestService;
  beforeAll(async () => {
    const apps = [TWO_APPS[0], { ...TWO_APPS[1], settings: SETTINGS }];
    service = await startService(driver, { env: appsEnv(apps) });
  });
  afterAll(() => service?.[Symbol.asyncDispose]());

  test("are those of the app that has the host", async () => {
    expect(await documents(service, "second.example")).toEqual(SERVED);
  });

  test("are not there where an app has nothing for them, and without an app", async () => {
    expect(await documents(service, "first.example")).toEqual([404, 404, 404]);
    expect(await documents(service, "third.example")).toEqual([400, 400, 400]);
  });

  test("take no other method", async () => {
    const response = await fetch(`${service.url}/.well-known/webauthn`, {
      method: "POST",
      headers: { "x-forwarded-host": "second.example" },
    });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET"]);
  });

  test("are served without apps as well, where variables name something", async () => {
    await using alone = await startService(driver, { env: SETTINGS });
    expect(await documents(alone)).toEqual(SERVED);
    await using none = await startService(driver);
    expect(await documents(none)).toEqual([404, 404, 404]);
  });
});
