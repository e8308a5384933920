import type { Static, TUnsafe } from "@sinclair/typebox";
import { type ErrorCode, isRetryable, type ServiceError, statusOf } from "../../errors.ts";
import { TooManyRequests } from "../../limits/rate-limiter.ts";
import type { errorBody } from "../../protocol/error-body.ts";
import { UnsupportedCoding } from "../body/content-coding.ts";
import { SCHEMA_MISMATCH_STATUS, SchemaMismatch } from "../validation.ts";

const RETRY_AFTER_S = 1;

/** The protocol's error body, with a code of ours. */
export type ErrorResponseBody = Static<ReturnType<typeof errorBody<TUnsafe<ErrorCode>>>>;

export function errorResponse(
  code: ErrorCode,
  message: string,
  status = statusOf(code),
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body: ErrorResponseBody = { allowRetry: isRetryable(status), error: { code, message } };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      ...(status === 503 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
      ...headers,
    },
  });
}

export function internalError(headers?: Readonly<Record<string, string>>): Response {
  return errorResponse("internal_server_error", "Something went wrong", 500, headers);
}

export function serviceErrorResponse(error: ServiceError): Response {
  const status = error instanceof SchemaMismatch ? SCHEMA_MISMATCH_STATUS : statusOf(error.code);
  return errorResponse(error.code, error.message, status, headersFor(error));
}

function headersFor(error: ServiceError): Readonly<Record<string, string>> {
  if (error instanceof TooManyRequests) return { "retry-after": String(error.retryAfterS) };
  if (error instanceof UnsupportedCoding) return { "accept-encoding": "identity" };
  return {};
}
