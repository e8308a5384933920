/** Traces by OpenTelemetry's SDK. Imported only where tracing is configured: see tracing.ts. */
import {
  type Context,
  type HrTime,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  ROOT_CONTEXT,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { millisToHrTime, parseTraceParent } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { SamplingConfig, TracingConfig } from "../config/tracing.ts";
import { runInSpan, type Span, type SpanKind } from "../runtime/span.ts";
import { version } from "../runtime/version.ts";
import { createSpanExporter } from "./span-exporter.ts";
import type { ExportReports, Tracing } from "./tracing.ts";

const KINDS: Readonly<Record<SpanKind, OtelSpanKind>> = {
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  internal: OtelSpanKind.INTERNAL,
};

export function createTracing(config: TracingConfig, reports: ExportReports): Tracing {
  const { resource, sampling, trustsTraceparent } = config;
  // ended spans wait for the next export, 2,048 at most: further ones are dropped
  const batches = new BatchSpanProcessor({ exporter: createSpanExporter(config, reports) });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.version": version, ...resource }),
    sampler: new AlwaysOnSampler(), // isSampled() has decided before a span is made
    spanProcessors: [batches],
  });
  const tracer = provider.getTracer("backup-service", version);
  const isSampled = createSampling(sampling);

  return {
    start(name, kind, traceparent = null) {
      // the parser passes over a control character at either end
      const caller =
        traceparent === null || /^\s|\s$/.test(traceparent) ? null : parseTraceParent(traceparent);
      if (!isSampled(trustsTraceparent ? caller : null)) return null;
      const context = caller === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
      return new TracedSpan(name, kind, context, { tracer, time: createTraceClock(), reports });
    },
    stop: () => provider.shutdown(),
  };
}

/**
 * Decides which traces are recorded. What a client sends decides nothing: neither its flag nor its trace id, of which a
 * ratio is a function. Otherwise any client could have all of its requests traced, or none.
 */
function createSampling({ followsParent, ratio }: SamplingConfig): (trusted: SpanContext | null) => boolean {
  const ids = new RandomIdGenerator();
  const sampler = new TraceIdRatioBasedSampler(ratio);
  return (trusted) => {
    if (followsParent && trusted !== null) return (trusted.traceFlags & TraceFlags.SAMPLED) !== 0;
    const { decision } = sampler.shouldSample(ROOT_CONTEXT, trusted?.traceId ?? ids.generateTraceId());
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}

/** What the spans of one trace share. */
interface Trace {
  readonly tracer: Tracer;
  readonly reports: Pick<ExportReports, "ended">;
  time(): HrTime;
}

/** The wall-clock time, read once a trace: otherwise its spans would be out of order by up to a millisecond. */
function createTraceClock(): () => HrTime {
  const offsetMs = Date.now() - performance.now();
  return () => millisToHrTime(offsetMs + performance.now());
}

class TracedSpan implements Span {
  readonly traceId: string;
  readonly #trace: Trace;
  readonly #span: OtelSpan;

  constructor(name: string, kind: SpanKind, parent: Context, ofTrace: Trace) {
    this.#trace = ofTrace;
    this.#span = ofTrace.tracer.startSpan(name, { kind: KINDS[kind], startTime: ofTrace.time() }, parent);
    this.traceId = this.#span.spanContext().traceId;
  }

  child(name: string, kind: SpanKind): Span {
    return new TracedSpan(name, kind, trace.setSpan(ROOT_CONTEXT, this.#span), this.#trace);
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: Readonly<Record<string, string | number>>): void {
    this.#span.setAttributes(attributes);
  }

  run<T>(work: () => T): T {
    return runInSpan(this, work);
  }

  end(failure?: string): void {
    if (failure !== undefined) {
      this.#span.setAttribute("error.type", failure);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end(this.#trace.time());
    this.#trace.reports.ended();
  }
}
