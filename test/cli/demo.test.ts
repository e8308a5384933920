import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { freePort } from "../support/free-port.ts";
import { startService } from "../support/service.ts";
import { runCommand } from "./run-command.ts";

/** The one that the services of tests know. */
const ORIGIN = ["--origin", "http://localhost:8000"] as const;
const demo = (...options: string[]) => runCommand("demo", {}, ...options);

for (const driver of DRIVERS)
  describe(`the demo (${driver.name})`, () => {
    test("plays whole lives with every kind of factor and shows each exchange", async () => {
      const port = String(freePort());
      const env = { APP_ENV: "development", PORT: port, WEBAUTHN_ORIGINS: "" };
      await using service = await startService(driver, { env });
      const { status, output, errors } = await demo("--url", service.url);
      expect({ status, errors }).toEqual({ status: 0, errors: "" });
      for (const path of ["/v1/create", "/v1/sync", "/v1/add-factor", "/v1/reset", "/dev/id-token"])
        expect(output).toContain(`POST ${path}`);
      for (const path of ["/v1/undelete", "/v1/restore-version", "/v1/events"])
        expect(output).toContain(`POST ${path}`);
      expect(output).toContain('"name": "Demo"');
      expect(output).toContain("went as it should");
      expect(await Array.fromAsync(service.services.stores.records.list())).toEqual([]);
    });

    test("leaves the accounts out where the service has no test issuer", async () => {
      await using service = await startService(driver);
      const { status, output } = await demo("--url", service.url, "--quiet", ...ORIGIN);
      expect(status).toBe(0);
      expect(output).toContain("no test issuer");
    });

    test("leaves out what the service does not keep", async () => {
      const env = { VERSIONS_KEEP_LAST: "0", VERSIONS_KEEP_DAYS: "0", DELETED_KEEP_DAYS: "0" };
      await using nothingKept = await startService(driver, { env });
      const first = await demo("--url", nothingKept.url, "--quiet", ...ORIGIN);
      expect(first).toMatchObject({ status: 0, errors: "" });
      expect(first.output).toContain("keeps no deleted backups");
      await using noVersions = await startService(driver, { env: { ...env, DELETED_KEEP_DAYS: "1" } });
      const second = await demo("--url", noVersions.url, "--quiet", ...ORIGIN);
      expect(second).toMatchObject({ status: 0, errors: "" });
      expect(second.output).toContain("keeps no versions");
    });

    test("passes the attestation on that it is given, and fails without it where one is needed", async () => {
      const env = {
        ATTESTATION: "enforce",
        ATTESTATION_GATEWAY_URL: "http://127.0.0.1:9",
        ATTESTATION_GATEWAY_BYPASS_TOKEN: "let me pass",
      };
      await using service = await startService(driver, { env });
      const passing = await demo("--url", service.url, ...ORIGIN, "--attestation-token", "let me pass");
      expect(passing.status).toBe(0);
      const refused = await demo("--url", service.url, "--quiet");
      expect(refused.status).toBe(1);
      expect(refused.errors).toContain("invalid_attestation_token_header");
      expect(refused.errors).toContain("--attestation-token");
    });

    test("asks for the origin where the service knows another", async () => {
      await using service = await startService(driver);
      const { status, errors } = await demo("--url", service.url, "--quiet");
      expect(status).toBe(1);
      expect(errors).toContain("webauthn_error");
      expect(errors).toContain("--origin");
    });
  });

describe("the demo", () => {
  test("finds the service of this machine at another PORT", async () => {
    const driver = DRIVERS[0];
    if (driver === undefined) throw new Error("no driver");
    await using service = await startService(driver);
    const { port } = new URL(service.url);
    const { status, output } = await runCommand("demo", { PORT: port }, "--quiet", ...ORIGIN);
    expect(status).toBe(0);
    expect(output).toContain("went as it should");
  });

  test("says what to do when there is no service", async () => {
    const { status, errors } = await demo("--url", "http://127.0.0.1:9");
    expect(status).toBe(1);
    expect(errors).toContain("bun run dev");
    expect(errors).toContain("pass its URL with --url, or its port with PORT");
  });

  test("explains itself when it is called wrongly", async () => {
    const { status, errors } = await demo("--no-such-option");
    expect(status).toBe(2);
    expect(errors).toContain("Usage: bun run demo");
  });
});
