/** What every request has: an id, a time limit, a log line and metrics. */
import { type ErrorCode, isFailedProof, NoRoom, ServiceError } from "../errors.ts";
import { clientAddress } from "../limits/client-address.ts";
import { TooManyRequests } from "../limits/rate-limiter.ts";
import { startTimeLimit } from "../limits/time-limit.ts";
import type { UploadBudget } from "../limits/upload-budget.ts";
import type { Clock } from "../runtime/clock.ts";
import { type CurrentRequest, currentRequest } from "../runtime/current-request.ts";
import type { Span } from "../runtime/span.ts";
import type { Services } from "../services.ts";
import { declaredLength, trackBody } from "./body/request-body.ts";
import { createUnreadBodies, type DiscardLimits } from "./body/unread-body.ts";
import { clientApp } from "./client-app.ts";
import { createCors } from "./cors.ts";
import { pathOf } from "./path.ts";
import { addProtectiveHeaders } from "./protective-headers.ts";
import { internalError, serviceErrorResponse } from "./response/error-response.ts";
import type { AppChoice, ServedApp } from "./served-app.ts";

/** The state of a request in progress. */
export interface RequestContext {
  /** The path of the request (see path.ts); empty for a request that is refused because it has none. */
  readonly path: string;
  /** The client address that limits count by. */
  readonly address: string;
  /** `null` for a request that did not come from a listener. */
  readonly connection: Connection | null;
  /** The memory budget that the body counts against. */
  readonly bodyMemory: UploadBudget;
  /** Aborted with the error of a response that is sent before the handler ends. */
  readonly ended: AbortSignal;
  /** The backup that the request names, if its failed proofs count against the backup. */
  backupId: string | null;
  /** The code of the error response. */
  code: ErrorCode | null;
  /** The name of the rate limit that the request exceeded. */
  limit: string | null;
  /** Why the attestation is not valid, where that is reported and not enforced. */
  attestationFailure: string | null;
}

export interface Connection {
  /** Whether the response is not sent completely yet. */
  isOpen(): boolean;
  /** Closes the connection once nothing could be sent for about `seconds`. */
  limitIdle(seconds: number): void;
}

export interface RequestContextOptions {
  /** How long a request may take until its response begins; an upload may take longer. */
  readonly timeoutMs: number;
  /** The clock that measures it. */
  readonly clock: Pick<Clock, "elapsedMs">;
  /** How much of a body is read only to be discarded. */
  readonly discardLimits: DiscardLimits;
  /** The methods of a path; none for a path that is no route. */
  readonly methodsOf: (path: string) => readonly string[];
}

/** A request, where it is for, and the app that it is for; `null` where it names none. */
interface AddressedRequest {
  readonly request: Request;
  /** As in {@link RequestContext}. */
  readonly path: string;
  readonly app: ServedApp | null;
}

/** Responds to a request from `peerAddress`, the other end of the connection. Never rejects. */
export type HandleFrom = (
  request: Request,
  peerAddress: string,
  connection?: Connection,
) => Promise<Response>;

const CLIENT_REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;
const UNMATCHED = "(unmatched)";

const contexts = new WeakMap<Request, RequestContext>();

/** The context of a request in progress. */
export function contextOf(request: Request): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error("the request did not come through withRequestContext");
  return context;
}

/** The response to an error. Records the error for the log line and the metrics. */
export function refusal(context: RequestContext, error: ServiceError): Response {
  context.code = error.code;
  if (error instanceof TooManyRequests) context.limit = error.limit;
  return serviceErrorResponse(error);
}

/** Wraps a request handler. Each response has the request's id. */
export function withRequestContext(
  services: Services,
  { timeoutMs, clock, discardLimits, methodsOf }: RequestContextOptions,
  appFor: AppChoice,
): HandleFrom {
  const { clientPseudonym, lifecycle, log, metrics, random, roomReports, tracing, uploadBudget } = services;
  const { cors: origins, trustedProxyHops } = services.config.server;
  const withUnreadBody = createUnreadBodies(discardLimits);
  const cors = createCors(origins, methodsOf);
  return (request, peerAddress, connection) => {
    const sent = request.headers.get("x-request-id");
    const id = sent !== null && CLIENT_REQUEST_ID.test(sent) ? sent : random.uuid();
    const client = clientAddress(peerAddress, request.headers.get("x-forwarded-for"), trustedProxyHops);
    const path = pathOf(request.url, request.headers.get("host")) ?? "";
    const app = appFor(request, path);
    const current = { id, client, app: app?.name ?? null, clientApp: clientApp(request.headers) };
    const addressed = { request, path, app };
    return currentRequest.run(current, () => {
      if (tracing === null) return respond(current, addressed, connection ?? null, null);
      const span = tracing.start("request", "server", request.headers.get("traceparent"));
      const run = () => respond(current, addressed, connection ?? null, span);
      return span === null ? run() : span.run(run);
    });
  };

  async function respond(
    { id, client }: CurrentRequest,
    { request, path, app }: AddressedRequest,
    connection: Connection | null,
    span: Span | null,
  ): Promise<Response> {
    const startedMs = performance.now();
    const ending = new AbortController();
    const context: RequestContext = {
      path,
      address: client,
      connection,
      bodyMemory: uploadBudget,
      ended: ending.signal,
      backupId: null,
      code: null,
      limit: null,
      attestationFailure: null,
    };
    contexts.set(request, context);
    metrics.requestsInFlight.count += 1;

    let response = cors.preflight(request, path) ?? (await handleInTime(request, app, context, ending));
    if (context.code !== null && isFailedProof(context.code))
      metrics.failedProofs.inc({ code: context.code });
    const limited = app?.requestLimits.limitFailure(context) ?? null;
    if (limited !== null) response = refusal(context, limited);

    response.headers.set("x-request-id", id);
    addProtectiveHeaders(response.headers);
    cors.allowReading(request, response.headers);
    if (lifecycle.isEnding) response.headers.set("connection", "close"); // the client's next request goes to another process
    if (context.attestationFailure !== null)
      response.headers.set("attestation-failure", context.attestationFailure);
    metrics.requestsInFlight.count -= 1;
    record(request, context, response, performance.now() - startedMs, span);
    return withUnreadBody(request, response);
  }

  /** Runs the handler within the time limit. */
  async function handleInTime(
    request: Request,
    app: ServedApp | null,
    context: RequestContext,
    ending: AbortController,
  ): Promise<Response> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const end = (error: ServiceError) => {
      if (context.ended.aborted) return;
      body.stop();
      ending.abort(error);
      resolve();
    };
    const body = trackBody(request, { address: context.address, clock, end });
    const stopTiming = startTimeLimit({
      timeoutMs,
      clock,
      upload: () => (body.isUpload ? body.arrival : null),
      onLate: () => end(new ServiceError("request_timeout", "The request took too long")),
    });
    try {
      if (context.path === "")
        throw new ServiceError("invalid_payload", "The Host header or the request target is not valid");
      if (app === null)
        throw new ServiceError("invalid_payload", "No app of this service has the host name of the request");
      app.requestLimits.admit(context.path, context.address);
      // A late handler is not aborted: it may be committing.
      const handled = Promise.resolve(app.handle(request));
      await Promise.race([handled, ended]);
      if (!context.ended.aborted) return await handled;
      handled.catch((error) =>
        log.error({ err: error }, "a handler failed after its request had a response"),
      );
      throw context.ended.reason;
    } catch (error) {
      if (error instanceof NoRoom) roomReports.refused(error.message);
      if (error instanceof ServiceError) return refusal(context, error);
      log.error({ err: error }, "request failed outside its handler");
      context.code = "internal_server_error";
      return internalError();
    } finally {
      stopTiming();
    }
  }

  function record(
    request: Request,
    context: RequestContext,
    response: Response,
    durationMs: number,
    span: Span | null,
  ): void {
    const { method } = request;
    const { status } = response;
    const route = methodsOf(context.path).length > 0 ? context.path : UNMATCHED;
    const requestBytes = declaredLength(request.headers);
    const responseBytes = declaredLength(response.headers);
    metrics.requests.inc({ method: knownMethod(method), route, status, code: context.code ?? "" });
    if (context.limit !== null) metrics.limitsHit.inc({ limit: context.limit });
    metrics.requestDuration.observe({ route }, durationMs / 1000);
    if (requestBytes !== null) metrics.requestSize.observe({ route }, requestBytes);
    if (responseBytes !== null) metrics.responseSize.observe({ route }, responseBytes);
    log.info(
      {
        method,
        route,
        status,
        code: context.code ?? undefined, // undefined members are omitted
        limit: context.limit ?? undefined,
        client: clientPseudonym(context.address),
        durationMs: Math.round(durationMs * 100) / 100,
        requestBytes: requestBytes ?? undefined,
      },
      "request",
    );
    if (span !== null) endRequestSpan(span, knownMethod(method), route, status, context.code);
  }
}

/** A response below 500 is no failure of the service, whatever its code (OpenTelemetry, "HTTP spans"). */
function endRequestSpan(
  span: Span,
  method: string,
  route: string,
  status: number,
  code: ErrorCode | null,
): void {
  span.rename(`${method} ${route}`);
  span.set({ "http.request.method": method, "http.route": route, "http.response.status_code": status });
  if (code !== null) span.set({ "error.type": code });
  span.end(status < 500 ? undefined : (code ?? `${status}`));
}

/** A client may send any word as a method, so the metrics count unusual ones as one. */
function knownMethod(method: string): string {
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method) ? method : "OTHER";
}
