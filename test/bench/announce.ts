import { createMetrics } from "../../src/telemetry/metrics.ts";

/** Serves `fetch` and empty metrics on free ports, and announces the URLs in the format of the service. */
export function announce(fetch: (request: Request) => Response | Promise<Response>): void {
  const listen = (handler: typeof fetch) => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: handler });
  const api = listen(fetch);
  const metrics = listen(
    async () => new Response(await createMetrics({ revision: "", driver: "local" }).text()),
  );
  const urls = { url: `http://127.0.0.1:${api.port}`, metrics: `http://127.0.0.1:${metrics.port}/metrics` };
  process.stdout.write(`${JSON.stringify(urls)}\n`);
}
