/**
 * What is sent again, and when. A challenge token is single-use and consumed by success only, so the identical request may be
 * repeated at any time: either it takes effect now, or the service reports `already_used`, and then it has taken effect.
 */
import {
  AlreadyUsedError,
  AttestationRefusedError,
  ConnectionError,
  OutcomeUnknownError,
  RefusedError,
} from "../errors.ts";
import { throwIfAborted } from "./aborted.ts";
import type { CallOptions, Send } from "./connection.ts";
import { MAX_TIMER_MS } from "./timer.ts";

export interface Retries {
  /** How often a request is sent at most. 1: never again. */
  readonly attempts: number;
  /** Of longer pauses the app decides: the error is thrown, with its `retryAfterMs`. */
  readonly maxPauseMs: number;
  readonly pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

const FIRST_PAUSE_MS = 250;

/** Sends what changes nothing, such as a request for a challenge. */
export async function sendRead(send: Send, retries: Retries, options: CallOptions): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(options);
    } catch (error) {
      await pauseAfter(error, attempt, retries, options);
    }
  }
}

/** How an app learns what became of a request whose response was lost. */
export interface Settlement<T> {
  /** Before an upload is sent again: what the backup says. `null` where the request has not taken effect. */
  readonly look?: () => Promise<T | null>;
  /** The request has taken effect. @param lost why there was no response. */
  readonly tookEffect: (lost: unknown) => Promise<T>;
}

/**
 * Sends a request with a proof.
 *
 * @throws OutcomeUnknownError when no attempt had a response that says what became of it.
 */
export async function sendProof<T>(
  send: () => Promise<T>,
  { look, tookEffect }: Settlement<T>,
  retries: Retries,
  options: CallOptions,
): Promise<T> {
  let lost: unknown = null;
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (lost !== null && error instanceof AlreadyUsedError) return await learned(tookEffect(lost));
      if (isLost(error)) lost = error;
      try {
        await pauseAfter(error, attempt, retries, options);
      } catch (last) {
        if (lost === null || last !== error || options.signal?.aborted || saysOutcome(last)) throw last;
        throw new OutcomeUnknownError("the request may have taken effect", { cause: last });
      }
      const found = lost === null || look === undefined ? null : await learned(look());
      if (found !== null) return found;
    }
  }
}

/** What is read after a lost response. @throws OutcomeUnknownError where that has no response either. */
async function learned<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw isPassing(cause) ? new OutcomeUnknownError("the request may have taken effect", { cause }) : cause;
  }
}

/** Whether a request may have taken effect although its response says nothing of that, or never came. */
function isLost(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  // below 400: what came is not the body of the service, such as half of it
  return error instanceof RefusedError && (error.status >= 500 || error.status === 408 || error.status < 400);
}

/**
 * Whether a response says of the request before it, too, what became of it. The attestation is verified before anything else,
 * and of a challenge token that has expired nothing is known.
 */
function saysOutcome(error: unknown): boolean {
  if (!(error instanceof RefusedError) || isPassing(error)) return false;
  return !(error instanceof AttestationRefusedError) && error.code !== "jwt_error";
}

/** Whether the same request may have another response later. */
function isPassing(error: unknown): boolean {
  return isLost(error) || (error instanceof RefusedError && error.status === 429);
}

/** Waits until the next attempt. @throws error when there is none. */
async function pauseAfter(
  error: unknown,
  attempt: number,
  { attempts, maxPauseMs, pause }: Retries,
  { signal }: CallOptions,
): Promise<void> {
  if (!isPassing(error) || attempt >= attempts) throw error;
  const asked = error instanceof RefusedError ? error.retryAfterMs : null;
  const ms = asked ?? FIRST_PAUSE_MS * 4 ** (attempt - 1) * (1 + Math.random());
  if (ms > maxPauseMs) throw error;
  await pause(ms, signal);
}

/** A pause that ends with the signal. */
export async function systemPause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal);
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(ms, MAX_TIMER_MS));
    signal?.addEventListener("abort", end);
  });
  throwIfAborted(signal);
}
