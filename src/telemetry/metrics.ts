/** The metrics of the process, in Prometheus' text format. */
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";
import { ERROR_CODES, isFailedProof } from "../errors.ts";
import { version } from "../runtime/version.ts";
import { within } from "../runtime/within.ts";

const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SIZES_BYTES = [10, 12, 14, 16, 18, 20, 22, 24, 25].map((exponent) => 2 ** exponent);
const EVENT_LOOP_PROBE_MS = 500;
/** Less than a scrape may take: a store that does not respond must not hide what the other metrics say of it. */
const MAX_READ_MS = 3_000;

/** Gauges that are measured at each scrape. */
const GAUGES = {
  http_requests_in_flight: "Requests whose response has not begun",
  process_resident_memory_bytes: "Resident memory of the process",
  upload_memory_bytes: "Memory that request bodies take",
  upload_memory_limit_bytes: "Memory that request bodies may take (MAX_IN_FLIGHT_UPLOAD_BYTES)",
  storage_free_bytes: "Free space of the disk that holds the backups",
  storage_reserve_bytes: "Free space below which no backup is created (MIN_FREE_DISK_BYTES)",
  answer_disk_bytes: "Temporary disk space that large responses in flight take",
  answer_disk_limit_bytes: "Temporary disk space that large responses may take (MAX_IN_FLIGHT_ANSWER_BYTES)",
  shutting_down: "1 from the signal that ends the process until its end, 0 before",
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
  readonly failedProofs: Counter<"code">;
  readonly limitsHit: Counter<"limit">;
  readonly permitWait: Histogram<"permit">;
  readonly maintenanceSuccess: Gauge<"task">;
  readonly maintenanceDuration: Gauge<"task">;
  readonly maintenanceRemoved: Counter<"what">;
  readonly blobsLeftAlone: Gauge;
  readonly storedBackups: Gauge<"state">;
  readonly storedBytes: Gauge<"of">;
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
  /** Calls `read` at each scrape. The gauge is NaN if `read` rejects, returns `null` or takes too long. */
  watch(gauge: keyof typeof GAUGES, read: () => number | Promise<number | null>): void;
  /** Starts measuring how late timers fire. The returned function stops it. */
  watchEventLoop(): () => void;
}

/**
 * @param build what is the same for the whole life of the process, besides the version.
 * @param maxReadMs how long a gauge may take to be measured.
 */
export function createMetrics(
  build: { readonly revision: string; readonly driver: string },
  maxReadMs = MAX_READ_MS,
): Metrics {
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
  function gauge<T extends string>(name: string, help: string, labelNames: T[] = []): Gauge<T> {
    return new Gauge({ name, help, labelNames, registers });
  }
  function watch(name: keyof typeof GAUGES, read: () => number | Promise<number | null>): void {
    new Gauge({
      name,
      help: GAUGES[name],
      registers,
      async collect() {
        // what cannot be read is unknown, which is a value of its own; the other metrics are shown all the same
        this.set((await within(maxReadMs, Promise.try(read)).catch(() => null)) ?? Number.NaN);
      },
    });
  }

  gauge("backup_service_build_info", "1: the labels say which build of the service runs, on which driver", [
    "version",
    "revision",
    "driver",
  ]).set({ version, ...build }, 1);
  gauge("process_start_time_seconds", "When the process started, in seconds since the epoch").set(
    performance.timeOrigin / 1000,
  );
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

  const permitWait = histogram(
    "permit_wait_seconds",
    "How long large transfers waited until others had ended; those that did not wait are not counted",
    DURATIONS_S,
    ["permit"],
  );
  permitWait.zero({ permit: "large_response" });

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
    failedProofs: fromZero(
      counter("failed_proofs_total", "Proofs that failed, by error code", ["code"]),
      ERROR_CODES.filter(isFailedProof).map((code) => ({ code })),
    ),
    limitsHit: counter("limits_hit_total", "Requests refused by a rate limit, by limit", ["limit"]),
    permitWait,
    maintenanceSuccess: gauge(
      "maintenance_last_success_timestamp_seconds",
      "When the sweep (embedded driver) or the collection (AWS) last succeeded in this process",
      ["task"],
    ),
    maintenanceDuration: gauge(
      "maintenance_duration_seconds",
      "How long the last sweep or collection that succeeded took",
      ["task"],
    ),
    maintenanceRemoved: fromZero(
      counter("maintenance_removed_total", "What sweep or collection deleted", ["what"]),
      ["expired_rows", "leftovers", "unreferenced_blobs"].map((what) => ({ what })),
    ),
    blobsLeftAlone: gauge(
      "unreferenced_blobs_left_alone",
      "Blobs without a record that the last sweep did not delete: the doctor says why",
    ),
    storedBackups: gauge(
      "stored_backups",
      "Backups, and deleted ones that are kept, at the last sweep; on AWS backups alone, as of the last hours",
      ["state"],
    ),
    storedBytes: gauge(
      "stored_bytes",
      "Ciphertext at the last sweep: of current contents, of versions, of deleted backups",
      ["of"],
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
    webhookDropped: fromZero(
      counter(
        "webhook_events_dropped_total",
        "Events that are not delivered any more: given up after three days, or gone (410)",
        ["reason"],
      ),
      [{ reason: "given_up" }, { reason: "gone" }],
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

/** Shows series before their first event: what Prometheus does not see begin at 0 has no increase for it. */
function fromZero<T extends string>(
  counter: Counter<T>,
  series: readonly Readonly<Record<T, string>>[],
): Counter<T> {
  for (const labels of series) counter.inc(labels, 0);
  return counter;
}
