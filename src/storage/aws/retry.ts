/** Retries within a time budget. The stores of this driver retry nowhere else. */

import { ServiceError } from "../../errors.ts";
import { fraction, type Random } from "../../runtime/clock.ts";
import { typed } from "../../runtime/program.ts";
import { errorCode } from "../../runtime/system-errors.ts";
import { StorageUnavailable } from "../contract.ts";
import { clockMessage, clockSkewMs, isClockError } from "./clock-skew.ts";
import { statusOf } from "./sdk-error.ts";

export interface RetryPolicy {
  /** No attempt starts later than this after the first. */
  readonly budgetMs: number;
  /** How long one attempt may take. */
  readonly attemptMs: number;
  /** The longest pause before the second attempt; it doubles with each further one, up to `maxPauseMs`. */
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
  /** Called with a message for the operator when a wrong clock has cost an attempt. */
  readonly onClockSkew?: (message: string) => void;
}

export const DEFAULT_RETRY: RetryPolicy = {
  budgetMs: 6_000,
  attemptMs: 2_000,
  firstPauseMs: 40,
  maxPauseMs: 1_000,
};

/** {@link withRetries} with the policy of a store. */
export type Attempt = <T>(purpose: string, attempt: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Thrown by an attempt that has to be repeated. */
export class TryAgain extends Error {}

/**
 * Runs `attempt` until it succeeds or cannot succeed. The pause between attempts is random between 0 and its limit
 * ("full jitter"), so that requests that collided do not collide again.
 *
 * @param purpose says what could not be done, as in "the backup could not be read".
 * @param onDoubt called after each failed attempt that may have been carried out.
 * @throws StorageUnavailable when the store did not respond within the budget, or refuses the request.
 */
export async function withRetries<T>(
  purpose: string,
  policy: RetryPolicy,
  random: Random,
  attempt: (signal: AbortSignal) => Promise<T>,
  onDoubt?: () => void,
): Promise<T> {
  const startedMs = performance.now();
  let isClockCorrected = false;
  for (
    let pauseLimitMs = policy.firstPauseMs;
    ;
    pauseLimitMs = Math.min(pauseLimitMs * 2, policy.maxPauseMs)
  ) {
    try {
      return await withDeadline(policy.attemptMs, attempt);
    } catch (error) {
      const verdict = verdictOn(error);
      if (verdict === "pass on") throw error;
      const skewMs = clockSkewMs(error);
      if (skewMs !== null && !isClockCorrected) {
        isClockCorrected = true; // by the SDK: if it is refused again, the clock is not the reason
        policy.onClockSkew?.(clockMessage(skewMs));
        continue;
      }
      if (!wasNotCarriedOut(error)) onDoubt?.();
      const pauseMs = fraction(random) * pauseLimitMs;
      const elapsedMs = performance.now() - startedMs;
      if (verdict === "refused" || elapsedMs + pauseMs >= policy.budgetMs)
        throw new StorageUnavailable(purpose, { cause: explained(error) });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Errors with a 4xx status after which a retry may succeed. */
const TEMPORARY = new Set([
  "ConditionalRequestConflict",
  "LimitExceededException",
  "OperationAborted",
  "ProvisionedThroughputExceededException",
  "ReplicatedWriteConflictException",
  "RequestLimitExceeded",
  "RequestTimeout",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TransactionCanceledException",
  "TransactionConflictException",
  "TransactionInProgressException",
]);

/** The request is wrong: a retry would fail. */
const WRONG = new Set([
  "ValidationException",
  "SerializationException",
  "IdempotentParameterMismatchException",
]);

/** `again`: retry. `refused`: the store refuses, so that a retry would fail. `pass on`: the error is not an outage. */
function verdictOn(error: unknown): "again" | "refused" | "pass on" {
  if (error instanceof TryAgain) return "again";
  if (!(error instanceof Error) || error instanceof ServiceError) return "pass on";
  if (TEMPORARY.has(error.name)) return "again";
  if (WRONG.has(error.name)) return "pass on";
  if (error.name === "CredentialsProviderError") return "refused";
  if ("$fault" in error) {
    const status = statusOf(error) ?? 0;
    return status >= 500 || status === 429 ? "again" : "refused";
  }
  // no response, or an unreadable one: the outcome is not known
  const unanswered = error.name === "TimeoutError" || error.name === "AbortError" || "$metadata" in error;
  return unanswered || ("code" in error && typeof error.code === "string") ? "again" : "pass on";
}

/** Errors of the network before a request is sent. */
const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);

/** Whether an attempt was certainly not carried out. */
function wasNotCarriedOut(error: unknown): boolean {
  if (!(error instanceof Error) || error.name === "TransactionInProgressException") return false;
  if (TEMPORARY.has(error.name) || error.name === "CredentialsProviderError") return true;
  const status = "$fault" in error ? statusOf(error) : null;
  return status === null ? NOT_SENT.has(errorCode(error) ?? "") : status >= 400 && status < 500;
}

/** What DynamoDB calls them; their status is 400. */
const REFUSED_CREDENTIALS = new Set([
  "AccessDeniedException",
  "ExpiredTokenException",
  "IncompleteSignatureException",
  "InvalidSignatureException",
  "MissingAuthenticationTokenException",
  "UnrecognizedClientException",
]);

/** An error that says what an operator can do, caused by the SDK's. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === "ResourceNotFoundException")
    return new Error(`a DynamoDB table does not exist: \`${typed("aws-setup")}\` creates what is missing`, {
      cause: error,
    });
  if (error.name === "NoSuchBucket")
    return new Error(`the S3 bucket does not exist: \`${typed("aws-setup")}\` creates what is missing`, {
      cause: error,
    });
  if (isClockError(error))
    return new Error(`${clockMessage(clockSkewMs(error))} (${error.name})`, { cause: error });
  const status = statusOf(error);
  const isRefused = status === 401 || status === 403 || REFUSED_CREDENTIALS.has(error.name);
  if (isRefused || error.name === "CredentialsProviderError")
    return new Error(`the credentials are missing, wrong or lack a permission (${error.name})`, {
      cause: error,
    });
  return error;
}

async function withDeadline<T>(limitMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), limitMs);
  try {
    return await run(controller.signal);
  } catch (error) {
    controller.abort(); // otherwise the rest of the attempt keeps its connection
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
