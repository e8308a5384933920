import type { TracingConfig } from "../config/tracing.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Span, type SpanKind, untilSettled } from "../runtime/span.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Starts the first span of each trace; those within it follow by `runtime/span.ts`. */
export interface Tracing {
  /**
   * Starts a span that is part of no other one here. `null` if it is not sampled.
   *
   * @param traceparent of the request, if it has one (W3C Trace Context §3.2); an invalid one is ignored.
   */
  start(name: string, kind: SpanKind, traceparent?: string | null): Span | null;
  /** Ends tracing. Resolves when the spans that ended were exported, or could not be. */
  stop(): Promise<void>;
}

export interface ExportReports {
  ended(): void;
  exported(spans: number): void;
  failed(reason: string, spans: number): void;
}

/** OpenTelemetry is loaded by this call, so that a service without tracing neither loads nor pays for it. */
export async function startTracing(config: TracingConfig, reports: ExportReports): Promise<Tracing> {
  const { createTracing } = await import("./open-telemetry.ts");
  return createTracing(config, reports);
}

/** Runs `work` as a trace of its own; if it is not traced, only runs it. */
export function inTrace<T>(
  tracing: Tracing | null,
  name: string,
  kind: SpanKind,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const span = tracing?.start(name, kind) ?? null;
  return span === null ? work(undefined) : untilSettled(span, work);
}

/** An outage makes every export fail. */
const FAILURE_LOGGED_EVERY_MS = 60_000;

/** Counts the spans. Failures are logged at most once a minute, without URL and headers: they may be secrets. */
export function createExportReports(
  log: Pick<Logger, "warn">,
  metrics: Pick<Metrics, "spansEnded" | "spansExported">,
  clock: Pick<Clock, "elapsedMs">,
): ExportReports {
  let loggedMs = Number.NEGATIVE_INFINITY;
  let lostSpans = 0;
  return {
    ended: () => metrics.spansEnded.inc(),
    exported: (spans) => metrics.spansExported.inc(spans),
    failed(reason, spans) {
      lostSpans += spans;
      if (clock.elapsedMs() - loggedMs < FAILURE_LOGGED_EVERY_MS) return;
      loggedMs = clock.elapsedMs();
      log.warn({ reason, lostSpans }, "spans could not be exported");
      lostSpans = 0;
    },
  };
}
