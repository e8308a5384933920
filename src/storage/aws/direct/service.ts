import type { EndpointParameterInstructionsSupplier } from "@smithy/core/endpoints";
import type { HttpRequest, HttpResponse } from "@smithy/types";

/** What differs between the services of AWS that requests are sent to. */
export interface DirectService {
  /** The names of the operations that can do without the SDK's middleware, or whose middleware is here. */
  readonly operations: ReadonlySet<string>;
  /** The one of the operations whose response body is read as a stream. */
  readonly streamed?: string;
  /** A command of the service: its static members say what the endpoint depends on. */
  readonly instructions: EndpointParameterInstructionsSupplier;
  /** Called before a request is signed. */
  prepare?(request: HttpRequest): void;
  /** Called before a response is read. */
  inspect?(response: HttpResponse): void;
}
