import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";

const DURATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SIZE_BUCKETS_BYTES = [
  1 << 10,
  1 << 12,
  1 << 14,
  1 << 16,
  1 << 18,
  1 << 20,
  4 << 20,
  16 << 20,
  32 << 20,
];
const EVENT_LOOP_PROBE_MS = 500;

/** The metrics of the process, in Prometheus' text format. */
export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];

  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered, by route, status and error code",
    labelNames: ["method", "route", "status", "code"],
    registers,
  });
  const requestDuration = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from the request's headers to the response's headers",
    labelNames: ["route"],
    buckets: [...DURATION_BUCKETS_S, 60, 120, 300], // an upload may take 5 minutes
    registers,
  });
  const requestSize = new Histogram({
    name: "http_request_size_bytes",
    help: "Length of request bodies, where the client declared it",
    labelNames: ["route"],
    buckets: SIZE_BUCKETS_BYTES,
    registers,
  });
  const responseSize = new Histogram({
    name: "http_response_size_bytes",
    help: "Length of response bodies, where it is known beforehand",
    labelNames: ["route"],
    buckets: SIZE_BUCKETS_BYTES,
    registers,
  });
  const requestsInFlight = { count: 0 };
  gauge("http_requests_in_flight", "Requests whose response has not begun", () => requestsInFlight.count);
  const storageCalls = new Histogram({
    name: "storage_call_duration_seconds",
    help: "Duration of each call to a store, by its outcome",
    labelNames: ["store", "call", "outcome"],
    buckets: DURATION_BUCKETS_S,
    registers,
  });
  const eventLoopLag = new Histogram({
    name: "event_loop_lag_seconds",
    help: "How late a timer of 500 ms fires",
    buckets: DURATION_BUCKETS_S,
    registers,
  });
  const logFailures = new Counter({
    name: "log_write_failures_total",
    help: "Failed writes of the log to standard output",
    registers,
  });
  const signatureCountersBack = new Counter({
    name: "signature_counters_back_total",
    help: "Accepted assertions of synchronised passkeys whose signature counter went back",
    registers,
  });
  /** Registers a gauge that calls `read` at each scrape. */
  function gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  }

  gauge("process_resident_memory_bytes", "Resident memory of the process", () => process.memoryUsage.rss());
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

  return {
    requests,
    requestDuration,
    requestSize,
    responseSize,
    requestsInFlight,
    storageCalls,
    logFailures,
    signatureCountersBack,
    contentType: registry.contentType,
    text: () => registry.metrics(),

    /** Calls `bytes` at each scrape. */
    watchUploadMemory(bytes: () => number): void {
      gauge("upload_memory_bytes", "Memory that request bodies take", bytes);
    },

    /** Calls `bytes` at each scrape. The gauge is NaN if `bytes` fails or returns `null`. */
    watchFreeDisk(bytes: () => Promise<number | null>): void {
      gauge(
        "storage_free_bytes",
        "Free space of the disk that holds the backups",
        async () => (await bytes().catch(() => null)) ?? Number.NaN,
      );
    },

    /** Calls `bytes` at each scrape. */
    watchAnswerDisk(bytes: () => number): void {
      gauge("answer_disk_bytes", "Temporary disk space that large responses in flight take", bytes);
    },

    /** Starts measuring how late timers fire. The returned function stops it. */
    watchEventLoop(): () => void {
      let dueMs = performance.now() + EVENT_LOOP_PROBE_MS;
      const timer = setInterval(() => {
        const nowMs = performance.now();
        eventLoopLag.observe(Math.max(0, nowMs - dueMs) / 1000);
        dueMs = nowMs + EVENT_LOOP_PROBE_MS;
      }, EVENT_LOOP_PROBE_MS);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}
