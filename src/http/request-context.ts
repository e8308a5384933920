/** What surrounds every request, whatever becomes of it: its id, its time limit, its log line and its figures. */

import { type ErrorCode, ServiceError } from "../errors.ts";
import { clientAddress } from "../limits/client-address.ts";
import { TooManyRequests } from "../limits/rate-limiter.ts";
import type { UploadBudget } from "../limits/upload-budget.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Services } from "../services.ts";
import { declaredLength } from "./body/declared-length.ts";
import { trackBody } from "./body/request-body.ts";
import { createUnreadBodies, type DiscardLimits } from "./body/unread-body.ts";
import { createCors } from "./cors.ts";
import { pathOf } from "./path.ts";
import { addProtectiveHeaders } from "./protective-headers.ts";
import { errorResponse, serviceErrorResponse } from "./response/error-response.ts";
import { startTimeLimit } from "./time-limit.ts";

/** What is known about a request while it is answered. */
export interface RequestContext {
  readonly id: string;
  /** The path it was sent to (see path.ts); empty for a request that is refused because it has none. */
  readonly path: string;
  /** The client's, as far as limits are concerned. */
  readonly address: string;
  /** The backup that the request names, where failed proofs count against it. */
  backupId: string | null;
  /** The error it is answered with. */
  code: ErrorCode | null;
  /** The name of the limit that it went over. */
  limit: string | null;
  /** What was wrong with its attestation, where that is reported and not enforced. */
  attestationFailure: string | null;
  /** What its body counts against. */
  readonly bodyMemory: UploadBudget;
  /** Why it is answered before its handler has ended, if it is. */
  endedBy: ServiceError | null;
  /** Stops reading for it when it is answered before its handler has ended. */
  stopReading: (() => void) | null;
}

export interface RequestContextOptions {
  /** How long a request may take until its answer begins; uploads are given more. */
  readonly timeoutMs: number;
  /** The clock that measures it. */
  readonly clock: Pick<Clock, "elapsedMs">;
  /** How much of a body is read only to be discarded. */
  readonly discardLimits: DiscardLimits;
  /** The methods that a path answers; none for a path that is no route. */
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

/** The context of a request that is being answered. */
export function contextOf(request: Request): RequestContext {
  const context = contexts.get(request);
  if (context === undefined) throw new Error("the request did not come through withRequestContext");
  return context;
}

/** Keeps what a request is answered with, for its log line and its figures. */
export function recordError(context: RequestContext, error: ServiceError): void {
  context.code = error.code;
  if (error instanceof TooManyRequests) context.limit = error.limit;
}

/** Registers `stopReading` for the case that the request takes too long: a slow client must not keep it for ever. */
export function onTooLate(request: Request, stopReading: () => void): void {
  const context = contexts.get(request);
  if (context === undefined) return;
  if (context.endedBy !== null) stopReading();
  else context.stopReading = stopReading;
}

/** Wraps the handling of requests. The result never rejects, and each response has the request's id. */
export function withRequestContext(
  { clientPseudonym, config, lifecycle, log, metrics, random, requestLimits, uploadBudget }: Surroundings,
  { timeoutMs, clock, discardLimits, methodsOf }: RequestContextOptions,
  handle: Handle,
): HandleFrom {
  const withUnreadBody = createUnreadBodies(discardLimits);
  const cors = createCors(config.server.cors, methodsOf);
  return async (request, peerAddress) => {
    const startedMs = performance.now();
    const path = pathOf(request.url);
    const context: RequestContext = {
      id: requestId(request, () => random.uuid()),
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
    if (lifecycle.isEnding) response.headers.set("connection", "close"); // the next request goes elsewhere
    if (context.attestationFailure !== null)
      response.headers.set("attestation-failure", context.attestationFailure);
    metrics.requestsInFlight.count -= 1;
    record(request, context, response, performance.now() - startedMs);
    return withUnreadBody(request, response);
  };

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
      // A handler that is late goes on to its end: what it has begun to commit is committed or not, never half.
      const answered = Promise.resolve(handle(request));
      await Promise.race([answered, ended]);
      if (context.endedBy === null) return await answered;
      answered.catch((error) => log.error({ err: error, requestId: context.id }, "a late answer failed"));
      throw context.endedBy;
    } catch (error) {
      if (error instanceof ServiceError) {
        recordError(context, error);
        return serviceErrorResponse(error);
      }
      log.error({ err: error, requestId: context.id }, "request failed outside its handler");
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
        requestId: context.id,
        method,
        route,
        status,
        code: context.code ?? undefined, // what is undefined is not in the line
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

/** Clients may send any word as a method; figures keep to the usual ones. */
function knownMethod(method: string): string {
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method) ? method : "OTHER";
}
