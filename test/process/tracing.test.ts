/** What a process loads of OpenTelemetry, and that a signal does not lose its last spans. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DRIVERS } from "../drivers.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { TraceReceiver } from "../support/trace-receiver.ts";

const ENV = {
  APP_ENV: "staging",
  CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
  WEBAUTHN_RP_ID: "localhost",
  WEBAUTHN_ORIGINS: "http://localhost:8000",
  ATTESTATION: "off",
  TRUSTED_PROXY_HOPS: "0",
  SHUTDOWN_DRAIN_SECONDS: "0",
};

/** Ends the process as soon as it loads a module of OpenTelemetry. */
const WITHOUT_OPENTELEMETRY = `
  import { plugin } from "bun";
  plugin({
    name: "without OpenTelemetry",
    setup: (build) => build.onLoad({ filter: /@opentelemetry|open-telemetry/ }, ({ path }) => {
      process.stderr.write("loads " + path);
      process.exit(42);
    }),
  });`;

for (const driver of DRIVERS)
  describe(`a process (${driver.name})`, () => {
    test("loads nothing of OpenTelemetry, unless it traces", async () => {
      const folder = await mkdtemp(join(tmpdir(), "backup-service-tracing-"));
      try {
        const preload = join(folder, "preload.ts");
        await writeFile(preload, WITHOUT_OPENTELEMETRY);
        await using storage = await driver.environment();
        const env = { ...ENV, ...storage.env, BUN_OPTIONS: `--no-env-file --preload=${preload}` };
        {
          await using service = await startProcess(env);
          expect((await fetch(`${service.url}/ready`)).status).toBe(200);
        }
        const traced = startProcess({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
        await expect(traced).rejects.toThrow("open-telemetry.ts");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });

    test("that is ended by a signal has exported its spans", async () => {
      using receiver = new TraceReceiver();
      await using storage = await driver.environment();
      await using service = await startProcess({ ...ENV, ...storage.env, ...receiver.env });
      await fetch(`${service.url}/health`);
      service.signal("SIGTERM");
      expect(await service.exited).toBe(0);
      expect(receiver.tree).toContain("GET /health");
    });
  });
