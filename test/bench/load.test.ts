import { describe, expect, test } from "bun:test";
import { OPERATIONS, throughputOf } from "./cost.ts";
import type { LoadOperation } from "./load.ts";
import { runLoad, startBenchService } from "./service.ts";

describe("the load generator", () => {
  test("gets only 200 for every operation, and reports the CPU time", async () => {
    await using service = await startBenchService();
    const { url, metricsUrl } = service;
    for (const operation of [...OPERATIONS, "transfers"] satisfies LoadOperation[]) {
      const load = { operation, count: 4, concurrency: 2, bytes: 1000 };
      const { failures, cpuMs, perSecond } = await runLoad({ url, metricsUrl, ...load });
      expect({ operation, failures }).toEqual({ operation, failures: {} });
      expect(cpuMs).toBeGreaterThan(0);
      expect(perSecond).toBeGreaterThan(0);
    }
  });

  test("reports no CPU time of a server without metrics", async () => {
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

describe("throughput of two servers", () => {
  const result = { p50: 1, p95: 2, p99: 3, failures: {}, cpuMs: null, requestBytes: 1, responseBytes: 1 };
  const rounds = (...perSecond: readonly (readonly [ours: number, other: number])[]) =>
    perSecond.map((pair) => pair.map((one) => ({ ...result, perSecond: one })));

  test("is the median of the rounds, and its ratio the median of theirs", () => {
    const measured = throughputOf(rounds([100, 50], [10, 20], [1000, 400]), 1);
    expect(measured).toMatchObject({ perSecond: 50, ratioToOurs: 0.5, p99: 3, cpuMs: null, failures: {} });
  });

  test("has no ratio where requests failed, and counts them", () => {
    const failed = rounds([100, 30_000], [100, 30_000], [100, 30_000]).map(([ours, other]) => [
      { ...result, perSecond: ours?.perSecond ?? 0 },
      { ...result, perSecond: other?.perSecond ?? 0, failures: { 404: 500 } },
    ]);
    expect(throughputOf(failed, 1)).toMatchObject({ ratioToOurs: null, failures: { 404: 1500 } });
    expect(throughputOf(failed, 0)).toMatchObject({ ratioToOurs: 1, failures: {} });
  });
});
