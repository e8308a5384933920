import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createWebhookReports, watchOutbox } from "../../src/telemetry/webhook-reports.ts";
import { SettableClock } from "../support/settable-clock.ts";

function fixture() {
  const clock = new SettableClock();
  const metrics = createMetrics({ revision: "", driver: "local" });
  const logged: string[] = [];
  const line = (level: string) => (about: object | string, message?: string) => {
    logged.push(
      typeof about === "string" ? `${level} ${about}` : `${level} ${JSON.stringify(about)} ${message}`,
    );
  };
  const log = { error: line("error"), warn: line("warn"), info: line("info") };
  /** The series of a metric and their values. */
  const series = async (name: string) =>
    (await metrics.text()).split("\n").filter((text) => text.startsWith(name));
  return { clock, metrics, logged, series, reports: createWebhookReports(log, metrics, clock) };
}

describe("the reports of the webhook", () => {
  test("count events that were delivered, failed attempts by reason, and dropped events", async () => {
    const { reports, series } = fixture();
    for (const reason of ["timeout", "http_5xx", "timeout"]) reports.failed(reason);
    for (let count = 0; count < 4; count++) reports.delivered();
    reports.dropped({ eventId: "e1", attempts: 1, reason: "gone" });
    reports.dropped({ eventId: "e2", attempts: 80, reason: "tls" });
    expect(await series("webhook_")).toEqual([
      "webhook_events_delivered_total 4",
      'webhook_failed_attempts_total{reason="timeout"} 2',
      'webhook_failed_attempts_total{reason="http_5xx"} 1',
      'webhook_events_dropped_total{reason="given_up"} 1',
      'webhook_events_dropped_total{reason="gone"} 1',
    ]);
  });

  test("log when failures begin and end, not each of them", () => {
    const { reports, logged } = fixture();
    reports.delivered();
    for (const reason of ["timeout", "http_5xx", "dns"]) reports.failed(reason);
    reports.delivered();
    reports.delivered();
    expect(logged).toEqual([
      'warn {"reason":"timeout"} the webhook did not take an event',
      "info the webhook takes events again",
    ]);
  });

  test("log each event that is dropped, by its id", () => {
    const { reports, logged } = fixture();
    reports.dropped({ eventId: "e1", attempts: 80, reason: "tls" });
    reports.dropped({ eventId: "e2", attempts: 1, reason: "gone" });
    expect(logged).toEqual([
      'error {"eventId":"e1","attempts":80,"reason":"tls"} an event is not delivered to the webhook any more',
      'error {"eventId":"e2","attempts":1,"reason":"gone"} an event is not delivered to the webhook any more',
    ]);
  });

  test("log an outage of the outbox once a minute", () => {
    const { reports, logged, clock } = fixture();
    for (let second = 0; second < 120; second++) {
      reports.postponed("down");
      clock.advance(1_000);
    }
    expect(logged).toEqual(Array(2).fill('error {"err":"down"} events for the webhook wait'));
  });
});

describe("the metrics of the outbox", () => {
  test("are how many events wait, and how long the oldest has waited, in one call", async () => {
    const { clock, metrics, series } = fixture();
    let calls = 0;
    let oldestMs: number | null = clock.nowMs();
    const backlog = async () => {
      calls++;
      return { waiting: oldestMs === null ? 0 : 7, oldestMs };
    };
    watchOutbox(metrics, { backlog }, clock);
    clock.advance(90_500);
    const values = async () => (await series("webhook_")).filter((text) => !text.includes("_total"));
    expect(await values()).toEqual(["webhook_events_waiting 7", "webhook_oldest_event_age_seconds 90.5"]);
    oldestMs = null;
    expect(await values()).toEqual(["webhook_events_waiting 0", "webhook_oldest_event_age_seconds 0"]);
    expect(calls).toBe(2);
  });

  test("are unknown while the outbox does not respond", async () => {
    const { clock, metrics, series } = fixture();
    watchOutbox(metrics, { backlog: () => Promise.reject(new Error("down")) }, clock);
    expect(await series("webhook_events_waiting")).toEqual(["webhook_events_waiting Nan"]);
  });
});
