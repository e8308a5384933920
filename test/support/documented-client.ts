/** A client that holds each answer against the service's own API reference: what is not documented is a failure. */
import type { Exchange } from "../../src/client/exchange.ts";
import { type ApiClient, createApiClient } from "./api-client.ts";

interface OpenApiDocument {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly responses: Readonly<Record<string, DocumentedAnswer>> }>>
    >
  >;
}

interface DocumentedAnswer {
  readonly content?: {
    readonly "application/json": {
      /** Of an error, by its code. */
      readonly examples?: Readonly<Record<string, object>>;
    };
  };
}

/** The API reference as the service serves it. */
export async function apiReferenceOf(url: string): Promise<OpenApiDocument> {
  return (await fetch(`${url}/openapi.json`)).json() as Promise<OpenApiDocument>;
}

/** The error codes that are documented for an answer of a route; `null` when the status itself is not. */
export function documentedCodes(
  document: OpenApiDocument,
  method: string,
  path: string,
  status: number,
): readonly string[] | null {
  const answer = document.paths[path]?.[method.toLowerCase()]?.responses[String(status)];
  if (answer === undefined) return null;
  return Object.keys(answer.content?.["application/json"].examples ?? {});
}

/**
 * A client whose calls fail when the service answers with a status or an error code that it does not document.
 *
 * @param headers are sent with each request.
 */
export async function documentedClient(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiClient> {
  const document = await apiReferenceOf(url);
  return createApiClient({ url, headers, onExchange: (exchange) => requireDocumented(document, exchange) });
}

export function requireDocumented(document: OpenApiDocument, exchange: Exchange): void {
  const { method, path, status, response } = exchange;
  if (document.paths[path] === undefined) return; // no route: there is nothing to document
  const codes = documentedCodes(document, method, path, status);
  if (codes === null) throw new Error(`${method} ${path} answered ${status}, which is not documented`);
  const code = status < 400 ? null : errorCodeOf(response);
  if (code !== null && !codes.includes(code))
    throw new Error(`${method} ${path} answered ${status} ${code}, documented are ${codes.join(", ")}`);
}

function errorCodeOf(response: unknown): string {
  const { error } = response as { readonly error: { readonly code: string } };
  return error.code;
}
