/** One HTTP request to the service, and its response. */
import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { ErrorBody } from "../protocol/error-body.ts";
import type { WireOperation } from "../protocol/operation.ts";

export interface ExchangeOptions {
  /** Base URL of the service. */
  readonly url: string;
  /** Sent with every request, such as `attestation-token`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Called after each exchange; the demo prints them. */
  readonly onExchange?: (exchange: Exchange) => void;
}

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly request: unknown;
  readonly status: number;
  readonly response: unknown;
}

/** Any response; `ok` requires success. */
export interface ApiResponse<T> {
  readonly status: number;
  readonly headers: Headers;
  /** The body as JSON, or as text if it is not JSON. */
  readonly body: unknown;
  /** The body of a successful response. @throws UnexpectedResponse when it is an error or not of the documented shape. */
  ok(): T;
  /** The code of an error response. @throws UnexpectedResponse when it is a success. */
  code(): string;
}

/** A response is not what the caller required. */
export class UnexpectedResponse extends Error {
  constructor(request: string, status: number, body: unknown, expected: string) {
    super(`${request} responded with ${status} ${JSON.stringify(body)?.slice(0, 500)}, expected ${expected}`);
    this.name = "UnexpectedResponse";
  }
}

/** What has to be known of an operation to call it. */
export type Callable = Pick<WireOperation, "method" | "path" | "response">;

/** The response of an operation: the documented body, or `null` for an empty 204. */
export type ResponseTo<Operation extends Callable> = ApiResponse<
  Operation["response"] extends TSchema ? Static<Operation["response"]> : null
>;

/** The body as it goes over the wire, and the headers that describe it. */
export interface Content {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | FormData;
}

/** @param shown the body as {@link ExchangeOptions.onExchange} sees it. */
export function exchange<Operation extends Callable>(
  options: ExchangeOptions,
  operation: Operation,
  content?: Content,
  shown?: unknown,
): Promise<ResponseTo<Operation>>;
export async function exchange(
  { url, headers, onExchange }: ExchangeOptions,
  { method, path, response: schema }: Callable,
  content: Content = {},
  shown?: unknown,
): Promise<ApiResponse<unknown>> {
  const response = await fetch(url + path, {
    method,
    ...content,
    headers: { ...headers, ...content.headers },
  });
  const { status } = response;
  const body = parsed(await response.text());
  onExchange?.({ method, path, request: shown, status, response: body });
  const request = `${method} ${path}`;
  return {
    status,
    headers: response.headers,
    body,
    ok() {
      if (schema === null && status === 204 && body === null) return null;
      if (schema !== null && status === 200 && Value.Check(schema, body)) return body;
      throw new UnexpectedResponse(
        request,
        status,
        body,
        schema === null ? "204" : "200 of the documented shape",
      );
    },
    code() {
      if (Value.Check(ErrorBody, body)) return body.error.code;
      throw new UnexpectedResponse(request, status, body, "an error");
    },
  };
}

function parsed(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text; // shown and compared as it is
  }
}
