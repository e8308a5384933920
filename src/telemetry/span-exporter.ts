import { AsyncLocalStorage } from "node:async_hooks";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { TracingConfig } from "../config/tracing.ts";
import { errorCode } from "../runtime/system-errors.ts";
import { version } from "../runtime/version.ts";
import type { ExportReports } from "./tracing.ts";

const FORMATS = {
  "http/protobuf": { serializer: ProtobufTraceSerializer, contentType: "application/x-protobuf" },
  "http/json": { serializer: JsonTraceSerializer, contentType: "application/json" },
} as const;

/**
 * Posts spans to an OTLP receiver. The official exporter does not fit: it reads the environment, its time limit does not
 * bound a receiver that responds byte by byte, and it takes two more packages.
 *
 * The spans of a failed export are dropped, so that an outage of the receiver takes no memory.
 */
export function createSpanExporter(
  { url, protocol, headers, timeoutMs, compression }: TracingConfig,
  reports: Pick<ExportReports, "exported" | "failed">,
): SpanExporter {
  const { serializer, contentType } = FORMATS[protocol];
  // an export belongs to no request, though the end of one may have started its timer
  const outsideRequests = AsyncLocalStorage.snapshot();
  const exports = new Set<Promise<void>>();

  async function send(spans: ReadableSpan[]): Promise<void> {
    try {
      const content = new Uint8Array(serializer.serializeRequest(spans) ?? []);
      const isCompressed = compression === "gzip";
      const response = await fetch(url, {
        method: "POST",
        headers: {
          ...headers,
          "content-type": contentType,
          "user-agent": `backup-service/${version}`,
          ...(isCompressed ? { "content-encoding": "gzip" } : {}),
        },
        body: isCompressed ? Bun.gzipSync(content) : content,
        redirect: "manual", // the headers may be secrets of this receiver
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.body?.cancel();
      if (response.ok) reports.exported(spans.length);
      else reports.failed(`http_${response.status}`, spans.length);
    } catch (error) {
      reports.failed(reasonOf(error), spans.length);
    }
  }

  return {
    export(spans, done) {
      const running = outsideRequests(() => send(spans)).finally(() => {
        exports.delete(running);
        done({ code: 0 }); // also after a failure, which is reported: the processor could only log it again
      });
      exports.add(running);
    },
    async shutdown() {
      await Promise.all(exports);
    },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "timeout";
  return errorCode(error) ?? "failed";
}
