/** What S3, and the way to it, may do to a request. */
import type { Fault, ProxyAnswer } from "./fault-proxy.ts";

/** An error of S3 by its name. */
export function s3Error(status: number, code: string): ProxyAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, contentType: "application/xml", body };
}

/** The answer to what is signed for another time. */
export const CLOCK_SKEWED = s3Error(403, "RequestTimeTooSkewed");

/** Faults that any request may meet. */
export const S3_FAULTS: Readonly<Record<string, Fault>> = {
  "too many requests": { kind: "refuse", answer: s3Error(503, "SlowDown") },
  "an internal error": { kind: "refuse", answer: s3Error(500, "InternalError") },
  "an internal error after the request was done": {
    kind: "misreport",
    answer: s3Error(500, "InternalError"),
  },
  "a connection closed before the request": { kind: "drop request" },
  "a connection closed before the answer": { kind: "drop answer" },
  "an answer cut off": { kind: "cut answer" },
  "an answer that stands still": { kind: "stall answer" },
  "a clock 20 minutes ahead": { kind: "clock", aheadMs: 20 * 60_000, refusal: CLOCK_SKEWED },
  "a clock 20 minutes behind": { kind: "clock", aheadMs: -20 * 60_000, refusal: CLOCK_SKEWED },
  "an answer without its length": { kind: "no length" },
  "a long delay": { kind: "delay", ms: 200 },
};

/** Faults that only an upload may meet. */
export const UPLOAD_FAULTS: Readonly<Record<string, Fault>> = {
  "a conflict of conditional requests": {
    kind: "refuse",
    answer: s3Error(409, "ConditionalRequestConflict"),
  },
  "a body that came too slowly": { kind: "refuse", answer: s3Error(400, "RequestTimeout") },
};
