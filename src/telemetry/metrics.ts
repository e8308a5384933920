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

/** The figures an operator watches, in Prometheus' text format. */
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
    buckets: [...DURATION_BUCKETS_S, 60, 120, 300], // uploads have up to 5 minutes
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
  watch("http_requests_in_flight", "Requests whose response has not begun", () => requestsInFlight.count);
  const storageCalls = new Histogram({
    name: "storage_call_duration_seconds",
    help: "Time of each call to a store, by its outcome",
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
    help: "How often standard output did not take what was logged",
    registers,
  });
  const signatureCountersBack = new Counter({
    name: "signature_counters_back_total",
    help: "How often a passkey that may be on several devices was accepted with a counter that went back",
    registers,
  });
  /** A figure that `read` returns whenever the figures are read. */
  function watch(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  }

  watch("process_resident_memory_bytes", "Resident memory of the process", () => process.memoryUsage.rss());
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

    /** Calls `bytes` whenever the figures are read. */
    watchUploadMemory(bytes: () => number): void {
      watch("upload_memory_bytes", "Memory that bodies of requests hold", bytes);
    },

    /** Calls `bytes` whenever the figures are read; where it fails or returns `null` the figure is not a number. */
    watchFreeDisk(bytes: () => Promise<number | null>): void {
      watch(
        "storage_free_bytes",
        "Free space of the disk that the backups are on",
        async () => (await bytes().catch(() => null)) ?? Number.NaN,
      );
    },

    /** Calls `bytes` whenever the figures are read. */
    watchAnswerDisk(bytes: () => number): void {
      watch("answer_disk_bytes", "Temporary disk that large answers in flight hold", bytes);
    },

    /** Starts to measure how late timers fire; the result stops it. */
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
