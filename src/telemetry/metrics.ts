/** The metrics of the process, in Prometheus' text format. */
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";

const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SIZES_BYTES = [10, 12, 14, 16, 18, 20, 22, 24, 25].map((exponent) => 2 ** exponent);
const EVENT_LOOP_PROBE_MS = 500;

/** Gauges that are measured at each scrape. */
const GAUGES = {
  http_requests_in_flight: "Requests whose response has not begun",
  process_resident_memory_bytes: "Resident memory of the process",
  upload_memory_bytes: "Memory that request bodies take",
  storage_free_bytes: "Free space of the disk that holds the backups",
  answer_disk_bytes: "Temporary disk space that large responses in flight take",
  webhook_events_waiting: "Events that wait for the webhook to take them; large numbers are cut off",
  webhook_oldest_event_age_seconds: "Time since the oldest of the events that wait; 0 if none does",
};

export interface Metrics {
  readonly requests: Counter<"method" | "route" | "status" | "code">;
  readonly requestDuration: Histogram<"route">;
  readonly requestSize: Histogram<"route">;
  readonly responseSize: Histogram<"route">;
  readonly requestsInFlight: { count: number };
  readonly storageCalls: Histogram<"store" | "call" | "outcome">;
  readonly logFailures: Counter;
  readonly signatureCountersBack: Counter;
  readonly webhookDelivered: Counter;
  readonly webhookFailures: Counter<"reason">;
  readonly webhookDropped: Counter<"reason">;
  readonly adoptions: Counter<"outcome">;
  readonly spansEnded: Counter;
  readonly spansExported: Counter;
  readonly contentType: string;
  text(): Promise<string>;
  /** Calls `read` at each scrape. The gauge is NaN if `read` rejects or returns `null`. */
  watch(gauge: keyof typeof GAUGES, read: () => number | Promise<number | null>): void;
  /** Starts measuring how late timers fire. The returned function stops it. */
  watchEventLoop(): () => void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];

  function counter<T extends string>(name: string, help: string, labelNames: T[] = []): Counter<T> {
    return new Counter({ name, help, labelNames, registers });
  }
  function histogram<T extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: T[] = [],
  ): Histogram<T> {
    return new Histogram({ name, help, buckets, labelNames, registers });
  }
  function watch(name: keyof typeof GAUGES, read: () => number | Promise<number | null>): void {
    new Gauge({
      name,
      help: GAUGES[name],
      registers,
      async collect() {
        // what cannot be read is unknown, which is a value of its own; the other metrics are shown all the same
        this.set((await Promise.try(read).catch(() => null)) ?? Number.NaN);
      },
    });
  }

  const requestsInFlight = { count: 0 };
  watch("http_requests_in_flight", () => requestsInFlight.count);
  watch("process_resident_memory_bytes", () => process.memoryUsage.rss());
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the process since its start, user and system",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const eventLoopLag = histogram("event_loop_lag_seconds", "How late a timer of 500 ms fires", DURATIONS_S);

  return {
    requests: counter("http_requests_total", "Requests answered, by route, status and error code", [
      "method",
      "route",
      "status",
      "code",
    ]),
    requestDuration: histogram(
      "http_request_duration_seconds",
      "Time from the request's headers to the response's headers",
      [...DURATIONS_S, 60, 120, 300], // an upload may take 5 minutes
      ["route"],
    ),
    requestSize: histogram(
      "http_request_size_bytes",
      "Length of request bodies, where the client declared it",
      SIZES_BYTES,
      ["route"],
    ),
    responseSize: histogram(
      "http_response_size_bytes",
      "Length of response bodies, where it is known beforehand",
      SIZES_BYTES,
      ["route"],
    ),
    requestsInFlight,
    storageCalls: histogram(
      "storage_call_duration_seconds",
      "Duration of each call to a store, by its outcome",
      DURATIONS_S,
      ["store", "call", "outcome"],
    ),
    logFailures: counter("log_write_failures_total", "Failed writes of the log to standard output"),
    signatureCountersBack: counter(
      "signature_counters_back_total",
      "Accepted assertions of synchronised passkeys whose signature counter went back",
    ),
    webhookDelivered: counter("webhook_events_delivered_total", "Events that the webhook has taken"),
    webhookFailures: counter("webhook_failed_attempts_total", "Attempts to deliver an event that failed", [
      "reason",
    ]),
    webhookDropped: counter(
      "webhook_events_dropped_total",
      "Events that are not delivered any more: given up after three days, or gone (410)",
      ["reason"],
    ),
    adoptions: counter(
      "adoptions_total",
      "Backups of the other service that requests moved in, or failed to",
      ["outcome"],
    ),
    spansEnded: counter("trace_spans_ended_total", "Spans of traced requests"),
    spansExported: counter("trace_spans_exported_total", "Spans that the receiver of traces has taken"),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    watch,
    watchEventLoop() {
      let dueMs = performance.now() + EVENT_LOOP_PROBE_MS;
      const timer = setInterval(() => {
        const nowMs = performance.now();
        eventLoopLag.observe(Math.max(0, nowMs - dueMs) / 1000);
        dueMs = nowMs + EVENT_LOOP_PROBE_MS;
      }, EVENT_LOOP_PROBE_MS).unref();
      return () => clearInterval(timer);
    },
  };
}
