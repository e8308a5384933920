/** Turns everything that our code or the framework throws into an error response. */
import { Elysia } from "elysia";
import { ServiceError, statusOf } from "../errors.ts";
import type { Logger } from "../telemetry/logger.ts";
import { SchemaMismatch } from "./body/body.ts";
import { contextOf, recordError } from "./request-context.ts";
import { errorResponse, SCHEMA_MISMATCH_STATUS, serviceErrorResponse } from "./response/error-response.ts";

export interface ErrorHandlerOptions {
  readonly log: Logger;
  /** The methods of a path; none for a path that is no route. */
  readonly methodsOf: (path: string) => readonly string[];
}

export function errorHandler({ log, methodsOf }: ErrorHandlerOptions) {
  return new Elysia({ name: "error-handler" }).onError({ as: "global" }, ({ code, error, request }) => {
    const context = contextOf(request);

    if (error instanceof SchemaMismatch) {
      context.code = error.code;
      return errorResponse(error.code, error.message, SCHEMA_MISMATCH_STATUS);
    }
    if (error instanceof ServiceError) {
      recordError(context, error);
      if (statusOf(error.code) < 500) return serviceErrorResponse(error);
      log.error({ err: error }, "request failed temporarily");
      return errorResponse(error.code, "The service cannot answer now: try again later");
    }
    if (code === "NOT_FOUND") {
      const methods = methodsOf(context.path);
      context.code = methods.length === 0 ? "not_found" : "method_not_allowed";
      return methods.length === 0
        ? errorResponse("not_found", "There is nothing at this path")
        : errorResponse("method_not_allowed", `Use ${methods.join(" or ")}`, 405, {
            allow: methods.join(", "),
          });
    }
    log.error({ err: error }, "request failed");
    context.code = "internal_server_error";
    return errorResponse("internal_server_error", "Something went wrong");
  });
}
