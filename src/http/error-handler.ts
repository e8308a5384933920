/** Makes an error response of everything that our code or the framework throws. */
import { Elysia } from "elysia";
import { NoRoom, ServiceError, statusOf } from "../errors.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { RoomReports } from "../telemetry/room-reports.ts";
import { contextOf, refusal } from "./request-context.ts";
import { errorResponse, internalError } from "./response/error-response.ts";

interface ErrorHandlerOptions {
  readonly log: Logger;
  readonly roomReports: RoomReports;
  /** The methods of a path; none for a path that is no route. */
  readonly methodsOf: (path: string) => readonly string[];
}

export function errorHandler({ log, roomReports, methodsOf }: ErrorHandlerOptions) {
  return new Elysia({ name: "error-handler" }).onError({ as: "global" }, ({ code, error, request }) => {
    const context = contextOf(request);
    if (error instanceof ServiceError) {
      const response = refusal(context, error);
      if (statusOf(error.code) < 500) return response;
      if (error instanceof NoRoom) roomReports.refused(error.message);
      else log.error({ err: error }, "request failed temporarily");
      return errorResponse(error.code, "The service is unavailable: try again later");
    }
    if (code === "NOT_FOUND") {
      const methods = methodsOf(context.path);
      if (methods.length === 0)
        return refusal(context, new ServiceError("not_found", "There is nothing at this path"));
      context.code = "method_not_allowed";
      const headers = { allow: methods.join(", ") };
      return errorResponse("method_not_allowed", `Use ${methods.join(" or ")}`, 405, headers);
    }
    log.error({ err: error }, "request failed");
    context.code = "internal_server_error";
    return internalError();
  });
}
