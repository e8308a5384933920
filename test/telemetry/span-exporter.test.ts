/** What becomes of spans where their receiver does not take them, and how they are sent. */
import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/config.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createExportReports, startTracing } from "../../src/telemetry/tracing.ts";
import { DRIVERS } from "../drivers.ts";
import { freePort } from "../support/free-port.ts";
import { startService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { TraceReceiver } from "../support/trace-receiver.ts";
import { recovered, userWithBackup } from "../support/users.ts";
import { startRawReceiver } from "../webhooks/receivers.ts";

const SECRET = "key-of-the-receiver";

/** Exports this many spans. Resolves to what was logged and counted. */
async function exported(env: Readonly<Record<string, string>>, spans = 1) {
  const { tracing: config } = loadConfig({ APP_ENV: "development", ...env });
  if (config === null) throw new Error("tracing is off");
  const logged: unknown[] = [];
  const metrics = createMetrics({ revision: "", driver: "local" });
  const log = { warn: (...line: unknown[]) => void logged.push(line) };
  const tracing = await startTracing(config, createExportReports(log, metrics, new SettableClock()));
  for (let span = 0; span < spans; span++) tracing.start(`span ${span}`, "internal")?.end();
  await tracing.stop();
  const count = async (name: string) =>
    Number(new RegExp(`^${name} (.*)$`, "m").exec(await metrics.text())?.[1]);
  return {
    logged,
    ended: await count("trace_spans_ended_total"),
    taken: await count("trace_spans_exported_total"),
  };
}

describe("spans", () => {
  test("are sent with the headers, and say which service they are of", async () => {
    using receiver = new TraceReceiver();
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: `api-key=${SECRET}`,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=eu",
    };
    expect(await exported({ ...receiver.env, ...env }, 3)).toEqual({ logged: [], ended: 3, taken: 3 });
    expect(receiver.requests.map(({ path }) => path)).toEqual(["/v1/traces"]);
    expect(receiver.requests[0]?.headers.toJSON()).toMatchObject({
      "api-key": SECRET,
      "content-type": "application/json",
    });
    expect(receiver.resource).toEqual({
      "service.name": "backup-service",
      "service.version": expect.any(String),
      "deployment.environment.name": "eu",
    });
  });

  test("are sent as Protocol Buffers and compressed, where that is configured", async () => {
    using receiver = new TraceReceiver();
    const env = { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf", OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" };
    await exported({ ...receiver.env, ...env });
    const [request] = receiver.requests;
    expect(request?.headers.toJSON()).toMatchObject({
      "content-type": "application/x-protobuf",
      "content-encoding": "gzip",
    });
    const bytes = Buffer.from(Bun.gunzipSync(new Uint8Array(request?.body ?? [])));
    expect(bytes.includes("span 0")).toBe(true);
    expect(bytes[0]).toBe(0x0a); // field 1: resource_spans
  });

  test("of a failed export are counted, and logged once a minute without what is secret", async () => {
    using receiver = new TraceReceiver();
    receiver.mode = "failing";
    const env = { ...receiver.env, OTEL_EXPORTER_OTLP_HEADERS: `api-key=${SECRET}` };
    const { logged, ended, taken } = await exported(env, 1_500);
    expect(receiver.requests.length).toBeGreaterThan(1);
    expect([ended, taken]).toEqual([1_500, 0]);
    expect(logged).toEqual([[{ reason: "http_500", lostSpans: 512 }, "spans could not be exported"]]);
    expect(JSON.stringify(logged)).not.toContain(SECRET);
  });

  test("wait for an export in a bounded queue", async () => {
    using receiver = new TraceReceiver();
    const { ended, taken } = await exported(receiver.env, 10_000);
    expect(ended).toBe(10_000);
    expect(taken).toBe(512 + 2_048); // the batch on its way, and what waits
  });

  test("are not sent on to where a redirect leads", async () => {
    using receiver = new TraceReceiver();
    using redirecting = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.redirect(receiver.env.OTEL_EXPORTER_OTLP_ENDPOINT ?? "", 307),
    });
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: redirecting.url.href };
    expect((await exported(env)).logged).toEqual([
      [{ reason: "http_307", lostSpans: 1 }, expect.any(String)],
    ]);
    expect(receiver.requests).toEqual([]);
  });

  test("are dropped where the receiver takes too long", async () => {
    using receiver = new TraceReceiver();
    receiver.mode = "silent";
    const { logged } = await exported({ ...receiver.env, OTEL_EXPORTER_OTLP_TIMEOUT: "20" });
    expect(logged).toEqual([[{ reason: "timeout", lostSpans: 1 }, expect.any(String)]]);
  });

  test("do not wait for the end of a response", async () => {
    await using receiver = await startRawReceiver((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
    });
    expect((await exported({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })).taken).toBe(1);
  });
});

for (const driver of DRIVERS)
  describe(`a service whose receiver of traces does not work (${driver.name})`, () => {
    const use = async (env: Readonly<Record<string, string>>): Promise<readonly string[]> => {
      const service = await startService(driver, { env });
      {
        await using _ended = service;
        const user = await userWithBackup(service.client);
        expect((await recovered(service.client, user)).metadata.id).toBe(user.account.backupAccountId);
      }
      return service.logged.filter((line) => line.includes("exported"));
    };

    test("goes on while nothing listens there", async () => {
      const url = `http://127.0.0.1:${freePort()}`;
      expect(await use({ OTEL_EXPORTER_OTLP_ENDPOINT: url })).toEqual([
        expect.stringContaining('"reason":"ECONNREFUSED"'),
      ]);
    });

    test("goes on while it fails", async () => {
      using receiver = new TraceReceiver();
      receiver.mode = "failing";
      expect(await use(receiver.env)).toEqual([expect.stringContaining('"reason":"http_500"')]);
    });

    test("goes on, and ends, while it does not respond", async () => {
      using receiver = new TraceReceiver();
      receiver.mode = "silent";
      expect(await use({ ...receiver.env, OTEL_EXPORTER_OTLP_TIMEOUT: "60000" })).toEqual([]);
      expect(receiver.requests).toHaveLength(1); // and it still has no response
    });
  });
