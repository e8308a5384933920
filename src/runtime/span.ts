import { AsyncLocalStorage } from "node:async_hooks";
import { ServiceError } from "../errors.ts";

/** A part of a trace: what one request, call of a store or request to another service took. */
export interface Span {
  readonly traceId: string;
  /** Starts a span within this one. */
  child(name: string, kind: SpanKind): Span;
  rename(name: string): void;
  set(attributes: Readonly<Record<string, string | number>>): void;
  /** Calls `work` with this span as the current one, also of what `work` starts. */
  run<T>(work: () => T): T;
  /** Ends the span; as failed, if there is a failure. */
  end(failure?: string): void;
}

/** `client`: a request to another service waits for its response. */
export type SpanKind = "server" | "client" | "internal";

const current = new AsyncLocalStorage<Span>();

/** The span that the running code is part of; undefined if it is not traced. */
export const currentSpan = (): Span | undefined => current.getStore();

export const runInSpan = <T>(span: Span, work: () => T): T => current.run(span, work);

/** Runs `work` as a span within the current one; if it is not traced, only runs it. A rejection is a failure. */
export function inSpan<T>(
  name: string,
  kind: SpanKind,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const span = currentSpan()?.child(name, kind);
  return span === undefined ? work(undefined) : untilSettled(span, work);
}

/** Runs `work` within the span, and ends the span when `work` settles. */
export async function untilSettled<T>(span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  try {
    const result = await span.run(() => work(span));
    span.end();
    return result;
  } catch (error) {
    span.end(failureOf(error));
    throw error;
  }
}

/** What a span has of an error: a code, or the name of the class. A message may name what belongs to a person. */
export function failureOf(error: unknown): string {
  if (error instanceof ServiceError) return error.code;
  return error instanceof Error ? error.name : "unknown";
}
