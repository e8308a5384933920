import { Elysia } from "elysia";
import type { Metrics } from "./metrics.ts";

/** `GET /metrics` and nothing else, for a port that only operators reach. */
export function createMetricsApp(metrics: Metrics) {
  return new Elysia({ name: "metrics", handler: { standardHostname: false } }).get(
    "/metrics",
    async ({ set }) => {
      set.headers["content-type"] = metrics.contentType;
      return metrics.text();
    },
  );
}
