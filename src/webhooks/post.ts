/** One attempt: posts a message to the receiver. */
import type { WebhookConfig } from "../config/webhook.ts";
import type { Clock } from "../runtime/clock.ts";
import { errorCode } from "../runtime/system-errors.ts";
import { version } from "../runtime/version.ts";
import { type Message, signatureHeaders } from "./signature.ts";

/** `ended`: the process stopped the attempt. */
export type Outcome = "delivered" | "ended" | Failure;
/** `gone`: the status 410, by which the receiver refuses this event for good. Other statuses count by their first digit. */
export type Failure = "timeout" | "dns" | "tls" | "connection" | "gone" | `http_${number}xx`;

/** Resolves to what became of the message; never rejects. */
export type Post = (message: Message, stopping: AbortSignal) => Promise<Outcome>;

const TIMEOUT_MS = 10_000;

/**
 * The status decides. The body of the response is not read: the connection of one that does not end is closed. A redirect
 * is a failure, since it could lead to an address that the receiver cannot reach itself.
 */
export function createPost(
  { url, secrets }: WebhookConfig,
  clock: Pick<Clock, "nowMs">,
  timeoutMs = TIMEOUT_MS,
): Post {
  return async (message, stopping) => {
    // not AbortSignal.any: in Bun 1.4.5 a signal that lives long keeps each signal that was made of it
    const attempt = new AbortController();
    const end = () => attempt.abort();
    const timer = setTimeout(end, timeoutMs);
    stopping.addEventListener("abort", end);
    if (stopping.aborted) end();
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": `backup-service/${version}`,
          ...signatureHeaders(message, clock.nowMs(), secrets),
        },
        body: message.body,
        redirect: "manual",
        signal: attempt.signal,
      });
      await response.body?.cancel();
      return outcomeOf(response.status);
    } catch (error) {
      if (stopping.aborted) return "ended";
      return attempt.signal.aborted ? "timeout" : failureOf(errorCode(error));
    } finally {
      clearTimeout(timer);
      stopping.removeEventListener("abort", end);
    }
  };
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return "delivered";
  return status === 410 ? "gone" : `http_${Math.floor(status / 100)}xx`;
}

/** The codes are those of Bun's fetch. */
function failureOf(code: string | null): Failure {
  if (code === null) return "connection";
  if (/^(ENOTFOUND|EAI_|DNS)/.test(code)) return "dns";
  return /CERT|VERIFY|SSL|TLS|EPROTO/.test(code) ? "tls" : "connection";
}
