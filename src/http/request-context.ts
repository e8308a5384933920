/** What every request has: an id, a time limit, a log line and metrics. */
import { type ErrorCode, ServiceError } from "../errors.ts";
import { clientAddress } from "../limits/client-address.ts";
import { TooManyRequests } from "../limits/rate-limiter.ts";
import type { UploadBudget } from "../limits/upload-budget.ts";
import type { Clock } from "../runtime/clock.ts";
import { requestIds } from "../runtime/request-id.ts";
import type { Services } from "../services.ts";
import { declaredLength } from "./body/declared-length.ts";
import { trackBody } from "./body/request-body.ts";
import { createUnreadBodies, type DiscardLimits } from "./body/unread-body.ts";
import { createCors } from "./cors.ts";
import { pathOf } from "./path.ts";
import { addProtectiveHeaders } from "./protective-headers.ts";
import { errorResponse, serviceErrorResponse } from "./response/error-response.ts";
import { startTimeLimit } from "./time-limit.ts";

/** The state of a request in progress. */
export interface RequestContext {
  readonly id: string;
  /** The path of the request (see path.ts); empty for a request that is refused because it has none. */
  readonly path: string;
  /** The client address that limits count by. */
  readonly address: string;
  /** The backup that the request names, if its failed proofs count against the backup. */
  backupId: string | null;
  /** The code of the error response. */
  code: ErrorCode | null;
  /** The name of the rate limit that the request exceeded. */
  limit: string | null;
  /** Why the attestation is not valid, where that is reported and not enforced. */
  attestationFailure: string | null;
  /** The memory budget that the body counts against. */
  readonly bodyMemory: UploadBudget;
  /** Why the response was sent before the handler ended; `null` if it was not. */
  endedBy: ServiceError | null;
  /** Stops the reads of a handler whose request is answered before the handler ends. */
  stopReading: (() => void) | null;
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

type Handle = (request: Request) => Response | Promise<Response>;

/** Answers a request from `peerAddress`, the other end of the connection. */
export type HandleFrom = (request: Request, peerAddress: string) => Promise<Response>;

type Surroundings = Pick<
  Services,
  "clientPseudonym" | "config" | "lifecycle" | "log" | "metrics" | "random" | "requestLimits" | "uploadBudget"
>;

const CLIENT_REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;
const UNMATCHED = "(unmatched)";

const contexts = new WeakMap<Request, RequestContext>();

/** The context of a request in progress. */
export function contextOf(request: Request): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error("the request did not come through withRequestContext");
  return context;
}

/** Records the error of a response, for the log line and the metrics. */
export function recordError(context: RequestContext, error: ServiceError): void {
  context.code = error.code;
  if (error instanceof TooManyRequests) context.limit = error.limit;
}

/** Registers `stopReading`, which is called if the request takes too long: a slow client must not keep a read open. */
export function onTooLate(request: Request, stopReading: () => void): void {
  const context = contexts.get(request);
  if (context === undefined) return;
  if (context.endedBy !== null) stopReading();
  else context.stopReading = stopReading;
}

/** Wraps a request handler. The result never rejects, and each response has the request's id. */
export function withRequestContext(
  { clientPseudonym, config, lifecycle, log, metrics, random, requestLimits, uploadBudget }: Surroundings,
  { timeoutMs, clock, discardLimits, methodsOf }: RequestContextOptions,
  handle: Handle,
): HandleFrom {
  const withUnreadBody = createUnreadBodies(discardLimits);
  const cors = createCors(config.server.cors, methodsOf);
  return (request, peerAddress) => {
    const id = requestId(request, () => random.uuid());
    return requestIds.run(id, () => respond(id, request, peerAddress));
  };

  async function respond(id: string, request: Request, peerAddress: string): Promise<Response> {
    const startedMs = performance.now();
    const path = pathOf(request.url);
    const context: RequestContext = {
      id,
      path: path ?? "",
      address: clientAddress(
        peerAddress,
        request.headers.get("x-forwarded-for"),
        config.server.trustedProxyHops,
      ),
      backupId: null,
      code: null,
      limit: null,
      attestationFailure: null,
      bodyMemory: uploadBudget,
      endedBy: null,
      stopReading: null,
    };
    contexts.set(request, context);
    metrics.requestsInFlight.count += 1;

    const preflight = path === null ? null : cors.preflight(request, path);
    let response =
      preflight ??
      (await answer(request, context, () => {
        if (path === null)
          throw new ServiceError("invalid_payload", "The Host header or the request target is not valid");
        requestLimits.admit(path, context.address);
      }));
    const refusal = requestLimits.settle(context);
    if (refusal !== null) {
      recordError(context, refusal);
      response = serviceErrorResponse(refusal);
    }

    response.headers.set("x-request-id", context.id);
    addProtectiveHeaders(response.headers);
    cors.allowReading(request, response.headers);
    if (lifecycle.isEnding) response.headers.set("connection", "close"); // the client's next request goes to another process
    if (context.attestationFailure !== null)
      response.headers.set("attestation-failure", context.attestationFailure);
    metrics.requestsInFlight.count -= 1;
    record(request, context, response, performance.now() - startedMs);
    return withUnreadBody(request, response);
  }

  async function answer(request: Request, context: RequestContext, admit: () => void): Promise<Response> {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const endEarly = (error: ServiceError) => {
      if (context.endedBy !== null) return;
      context.endedBy = error;
      body.stop();
      context.stopReading?.();
      end();
    };
    const body = trackBody(request, { address: context.address, clock, end: endEarly });
    const stopTiming = startTimeLimit({
      timeoutMs,
      clock,
      upload: () => (body.isUpload ? body.arrival : null),
      onLate: () => endEarly(new ServiceError("request_timeout", "The request took too long")),
    });
    try {
      admit();
      // A late handler is not aborted: it may be committing.
      const answered = Promise.resolve(handle(request));
      await Promise.race([answered, ended]);
      if (context.endedBy === null) return await answered;
      answered.catch((error) => log.error({ err: error }, "a handler failed after its request was answered"));
      throw context.endedBy;
    } catch (error) {
      if (error instanceof ServiceError) {
        recordError(context, error);
        return serviceErrorResponse(error);
      }
      log.error({ err: error }, "request failed outside its handler");
      context.code = "internal_server_error";
      return errorResponse("internal_server_error", "Something went wrong");
    } finally {
      stopTiming();
    }
  }

  function record(request: Request, context: RequestContext, response: Response, durationMs: number): void {
    const { method } = request;
    const route = methodsOf(context.path).length > 0 ? context.path : UNMATCHED;
    const { status } = response;
    const requestBytes = declaredLength(request.headers);
    const responseBytes = declaredLength(response.headers);
    metrics.requests.inc({ method: knownMethod(method), route, status, code: context.code ?? "" });
    metrics.requestDuration.observe({ route }, durationMs / 1000);
    if (requestBytes !== null) metrics.requestSize.observe({ route }, requestBytes);
    if (responseBytes !== null) metrics.responseSize.observe({ route }, responseBytes);
    log.info(
      {
        method,
        route,
        status,
        code: context.code ?? undefined, // undefined members are not in the line
        limit: context.limit ?? undefined,
        client: clientPseudonym(context.address),
        durationMs: Math.round(durationMs * 100) / 100,
        requestBytes: requestBytes ?? undefined,
      },
      "request",
    );
  }
}

function requestId(request: Request, make: () => string): string {
  const sent = request.headers.get("x-request-id");
  return sent !== null && CLIENT_REQUEST_ID.test(sent) ? sent : make();
}

/** A client may send any word as a method, so the metrics count unusual ones as one. */
function knownMethod(method: string): string {
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method) ? method : "OTHER";
}
