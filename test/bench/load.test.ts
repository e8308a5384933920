import { describe, expect, test } from "bun:test";
import { OPERATIONS } from "./cost.ts";
import type { LoadOperation } from "./load.ts";
import { runLoad, startBenchService } from "./service.ts";

describe("the load generator", () => {
  test("is answered 200 whatever it measures, and tells the CPU time", async () => {
    await using service = await startBenchService();
    const { url, metricsUrl } = service;
    for (const operation of [...OPERATIONS, "transfers"] satisfies LoadOperation[]) {
      const load = { operation, count: 4, concurrency: 2, bytes: 1000 };
      const { failures, cpuMs, perSecond } = await runLoad({ url, metricsUrl, ...load });
      expect({ operation, failures }).toEqual({ operation, failures: {} });
      expect(cpuMs).toBeGreaterThan(0);
      expect(perSecond).toBeGreaterThan(0);
    }
  }, 30_000);

  test("tells no CPU time of a server that has no figures", async () => {
    await using service = await startBenchService();
    const { cpuMs } = await runLoad({
      url: service.url,
      operation: "challenge",
      count: 1,
      concurrency: 1,
      bytes: 0,
    });
    expect(cpuMs).toBeNull();
  });
});
