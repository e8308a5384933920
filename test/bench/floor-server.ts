/** The least a server of this kind can do: reads a body, answers with as many bytes as the path asks for. */
import { Elysia } from "elysia";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createMetricsApp } from "../../src/telemetry/metrics-app.ts";

const app = new Elysia().post(
  "/empty/:bytes",
  async ({ request, params }) => {
    await request.arrayBuffer();
    return new Response("x".repeat(Number(params.bytes)), {
      headers: { "content-type": "application/json" },
    });
  },
  { parse: "none" },
);
const api = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
const metrics = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: createMetricsApp(createMetrics()).fetch });
app.get("/health", () => "ok");
process.stdout.write(
  `${JSON.stringify({ url: `http://127.0.0.1:${api.port}`, metrics: `http://127.0.0.1:${metrics.port}/metrics` })}\n`,
);
