/** Requests to the service: headers, attestation, time limits, errors. */
import { attestedForm } from "../../protocol/attested-request.ts";
import type { ErrorBody } from "../../protocol/error-body.ts";
import { ConnectionError, refusedError, TimeoutError } from "../errors.ts";
import { encodeHex, type Sha256 } from "../hash.ts";
import { throwIfAborted } from "./aborted.ts";
import { fetchTransport } from "./fetch.ts";
import type { HttpRequest, HttpResponse, Progress, Transport } from "./http.ts";
import { multipart } from "./multipart.ts";
import { MAX_TIMER_MS } from "./timer.ts";
import { xhrTransport } from "./xhr.ts";

/** A request that needs an app attestation. */
export interface AttestableRequest {
  readonly method: string;
  /** Such as `/v1/verify-factor`. */
  readonly path: string;
  /** The body, exactly as it will be sent. */
  readonly body: string;
  /** The claim `jti` that the service expects: SHA-256 in hex over the canonical form of method, path and body. */
  readonly requestHash: string;
}

/** What every method of the client takes last. */
export interface CallOptions {
  /**
   * Aborts the call, which then rejects with its reason; while the user is asked, once that has ended. A change that was on
   * its way may still take effect.
   */
  readonly signal?: AbortSignal | undefined;
  /** How long each request may take: by default 60 s, and 5 minutes for the content of a backup. */
  readonly timeoutMs?: number | undefined;
  /** Reports how much of a content was uploaded. What it throws ends the call as an abort does. */
  readonly onUpload?: ((progress: Progress) => void) | undefined;
  /** Reports how much of a response was downloaded. A content is a third larger there than it is. What it throws ends the call. */
  readonly onDownload?: ((progress: Progress) => void) | undefined;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly attest: ((request: AttestableRequest) => Promise<string>) | null;
  readonly sha256: Sha256;
  readonly transport: Transport | null;
}

/** What a response has at least: the types of its members. `null`: no body, and the status 204. */
export type Expected = Readonly<Record<string, "string" | "boolean" | "array" | "object">> | null;

/** One request. It can be sent several times, and is the same each time. */
export interface Sendable {
  readonly path: string;
  readonly body: object;
  readonly expects: Expected;
  /** Makes the request an upload. */
  readonly content?: Uint8Array;
  readonly attested?: boolean;
  /** The response has the content of a backup. */
  readonly returnsContent?: boolean;
}

export type Send = (options: CallOptions) => Promise<unknown>;

export interface Connection {
  /**
   * Prepares a request. Sending it resolves to the body of the response, `null` for an empty one.
   *
   * @throws RefusedError, ConnectionError, TimeoutError, or the reason of the signal.
   */
  prepare(request: Sendable): Send;
}

const TIMEOUT_MS = 60_000;
const CONTENT_TIMEOUT_MS = 300_000;
const JSON_TYPE = "application/json";

export function createConnection({ url, headers, attest, sha256, transport }: ConnectionOptions): Connection {
  const base = url.replace(/\/+$/, "");

  async function attestation(path: string, body: string): Promise<Record<string, string>> {
    if (attest === null) return {};
    const form = attestedForm({ method: "POST", path, body });
    const requestHash = encodeHex(await sha256(new TextEncoder().encode(form)));
    return { "attestation-token": await attest({ method: "POST", path, body, requestHash }) };
  }

  return {
    prepare({ path, body, expects, content, attested = false, returnsContent = false }) {
      const json = JSON.stringify(body);
      const sent = content === undefined ? { contentType: JSON_TYPE, body: json } : multipart(json, content);
      const isLarge = content !== undefined || returnsContent;
      return async (options) => {
        const request = {
          url: base + path,
          method: "POST" as const,
          headers: {
            ...headers,
            ...(attested ? await attestation(path, json) : {}),
            "content-type": sent.contentType,
            accept: JSON_TYPE,
          },
          body: sent.body,
          ...(content === undefined ? {} : { onUpload: options.onUpload }),
          ...(returnsContent ? { onDownload: options.onDownload } : {}),
        };
        const { timeoutMs = isLarge ? CONTENT_TIMEOUT_MS : TIMEOUT_MS } = options;
        const send = transport ?? (request.onUpload && xhrTransport()) ?? fetchTransport;
        return bodyOf(await withinTime(send, request, timeoutMs, options.signal), expects);
      };
    },
  };
}

/** A request that is not observed yet. */
type Unobserved = Omit<HttpRequest, "signal" | "onUpload" | "onDownload"> &
  Pick<CallOptions, "onUpload" | "onDownload">;

/**
 * Aborts the request when its time is over, when the app wants that, or when a function of the app throws that observes it.
 * `AbortSignal.any` is not everywhere.
 */
async function withinTime(
  send: Transport,
  { onUpload, onDownload, ...request }: Unobserved,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  throwIfAborted(signal);
  const controller = new AbortController();
  const stop = () => controller.abort();
  signal?.addEventListener("abort", stop);
  const timer = setTimeout(stop, Math.min(timeoutMs, MAX_TIMER_MS));
  const thrown: unknown[] = [];
  const observed = (observe: (progress: Progress) => void) => (progress: Progress) => {
    try {
      observe(progress);
    } catch (error) {
      thrown.push(error);
      stop();
    }
  };
  try {
    const response = await send({
      ...request,
      signal: controller.signal,
      ...(onUpload === undefined ? {} : { onUpload: observed(onUpload) }),
      ...(onDownload === undefined ? {} : { onDownload: observed(onDownload) }),
    });
    if (thrown.length > 0) throw thrown[0];
    return response;
  } catch (cause) {
    throwIfAborted(signal);
    if (thrown.length > 0) throw thrown[0];
    if (controller.signal.aborted) throw new TimeoutError(`no response within ${timeoutMs} ms`, { cause });
    throw new ConnectionError("no response", { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** A success that is not of the operation, as of a proxy or a page to log in, says nothing of the request. */
function bodyOf({ status, header, text }: HttpResponse, expects: Expected): unknown {
  if (status === 204 && expects === null) return null;
  const body = parsed(text);
  if (status === 200 && expects !== null && isExpected(body, expects)) return body;
  // 429 and 503 may come from a proxy that speaks no JSON
  const { allowRetry, error }: Partial<ErrorBody> = status >= 400 && isObject(body) ? body : {};
  throw refusedError({
    code: textOf(error?.code) ?? CODE_OF_STATUS[status] ?? "unexpected_response",
    status,
    allowRetry: allowRetry === true,
    message: textOf(error?.message) ?? `an unexpected response with status ${status}`,
    retryAfterMs: retryAfterMs(header("retry-after")),
    requestId: header("x-request-id"),
  });
}

const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  413: "content_too_large",
  429: "too_many_requests",
  502: "service_unavailable",
  503: "service_unavailable",
  504: "service_unavailable",
};

/** Seconds, or a date (RFC 9110 §10.2.3). */
function retryAfterMs(value: string | null): number | null {
  if (value === null) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

function isExpected(body: unknown, expects: NonNullable<Expected>): boolean {
  return (
    isObject(body) &&
    Object.entries(expects).every(([name, type]) => typeOf(Reflect.get(body, name)) === type)
  );
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** `undefined` when it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // reported with its status
  }
}
