import type { EndpointParameterInstructionsSupplier } from "@smithy/core/endpoints";
import type { $ClientProtocol, HttpRequest, HttpResponse } from "@smithy/types";

/** Makes requests of inputs, and outputs of responses. */
export type DirectProtocol = Pick<
  $ClientProtocol<HttpRequest, HttpResponse>,
  "serializeRequest" | "deserializeResponse"
>;

/** What differs between the services of AWS that requests are sent to. */
export interface DirectService {
  /** The names of the operations that can do without the SDK's middleware, or whose middleware is here. */
  readonly operations: ReadonlySet<string>;
  /** The one of the operations whose response body is read as a stream. */
  readonly streamed?: string;
  /** A command of the service: its static members say what the endpoint depends on. */
  readonly instructions: EndpointParameterInstructionsSupplier;
  /** Replaces the SDK's protocol. */
  protocol?(sdk: DirectProtocol): DirectProtocol;
  /** Called before a request is signed. */
  prepare?(request: HttpRequest): void;
  /** Called before a response is read. What it throws makes the response unreadable, so its outcome is not known. */
  inspect?(response: HttpResponse): void;
}
