import type { Static, TUnsafe } from "@sinclair/typebox";
import { type ErrorCode, isRetryable, type ServiceError, statusOf } from "../../errors.ts";
import { TooManyRequests } from "../../limits/rate-limiter.ts";
import type { errorBody } from "../../protocol/error-body.ts";
import { UnsupportedCoding } from "../body/content-coding.ts";

/** A well-formed JSON body whose members are missing or wrong: `invalid_payload`, but not with its usual status. */
export const SCHEMA_MISMATCH_STATUS = 422;

const RETRY_AFTER_S = 1;

/** The protocol's error body, with a code of ours. */
export type ErrorResponseBody = Static<ReturnType<typeof errorBody<TUnsafe<ErrorCode>>>>;

export function errorResponse(
  code: ErrorCode,
  message: string,
  status = statusOf(code),
  headers: Readonly<Record<string, string>> = {},
): Response {
  const allowRetry = isRetryable(status);
  const body: ErrorResponseBody = { allowRetry, error: { code, message } };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      ...(status === 503 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
      ...headers,
    },
  });
}

/** The answer to an error that has a code. */
export function serviceErrorResponse(error: ServiceError): Response {
  return errorResponse(error.code, error.message, statusOf(error.code), headersFor(error));
}

function headersFor(error: ServiceError): Readonly<Record<string, string>> {
  if (error instanceof TooManyRequests) return { "retry-after": String(error.retryAfterS) };
  if (error instanceof UnsupportedCoding) return { "accept-encoding": "identity" };
  return {};
}
