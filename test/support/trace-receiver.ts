/** An OTLP receiver: what the service traces, as a test reads it. */

interface OtlpValue {
  readonly stringValue?: string;
  readonly intValue?: number;
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: OtlpValue }[];
  readonly status: { readonly code?: number };
}

interface OtlpExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan["attributes"] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly startedNs: bigint;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  readonly failed: boolean;
}

export class TraceReceiver implements Disposable {
  /** How it responds; `silent` never does. */
  mode: "up" | "failing" | "silent" = "up";
  readonly requests: { readonly path: string; readonly headers: Headers; readonly body: Uint8Array }[] = [];
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const body = await request.bytes();
        const { pathname: path } = new URL(request.url);
        this.requests.push({ path, headers: request.headers, body });
        if (this.mode === "silent") return new Promise<Response>(() => {});
        return new Response("{}", { status: this.mode === "up" ? 200 : 500 });
      },
    });
  }

  /** Traces everything, and sends it here as JSON. */
  get env(): Record<string, string> {
    return { OTEL_EXPORTER_OTLP_ENDPOINT: this.#server.url.href, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" };
  }

  /** The spans in the order in which they ended. */
  get spans(): readonly ReceivedSpan[] {
    return this.requests
      .map(({ body }): OtlpExport => JSON.parse(Buffer.from(body).toString()))
      .flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans))
      .flatMap(({ spans }) => spans)
      .map(({ traceId, spanId, parentSpanId, name, startTimeUnixNano, attributes, status }) => ({
        startedNs: BigInt(startTimeUnixNano),
        traceId,
        spanId,
        parentSpanId: parentSpanId ?? null,
        name,
        attributes: attributesOf(attributes),
        failed: status.code === 2,
      }));
  }

  get resource(): ReceivedSpan["attributes"] {
    const [first] = this.requests;
    const sent: OtlpExport = JSON.parse(Buffer.from(first?.body ?? []).toString());
    return attributesOf(sent.resourceSpans[0]?.resource.attributes ?? []);
  }

  /** The names of the spans: traces in the order of their ends, and within them what started first. */
  get tree(): string {
    const spans = this.spans;
    const ids = new Set(spans.map(({ spanId }) => spanId));
    const lines = ({ name, spanId }: ReceivedSpan, indent: string): string[] => [
      `${indent}${name}`,
      ...spans
        .filter(({ parentSpanId }) => parentSpanId === spanId)
        .toSorted((a, b) => Number(a.startedNs - b.startedNs))
        .flatMap((span) => lines(span, `${indent}  `)),
    ];
    return spans
      .filter(({ parentSpanId }) => parentSpanId === null || !ids.has(parentSpanId))
      .flatMap((span) => lines(span, ""))
      .join("\n");
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}

function attributesOf(attributes: OtlpSpan["attributes"]): ReceivedSpan["attributes"] {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));
}
