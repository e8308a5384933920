/**
 * Which web pages of other origins may call the API (Fetch standard §3.2, CORS protocol). CORS matters to browsers only
 * and authorises nobody: there are no cookies, and each request carries a proof.
 */
import { isLoopbackHost } from "../runtime/loopback.ts";
import type { Services } from "../services.ts";

export interface Cors {
  /** The response to a preflight request of an allowed origin for one of our routes; `null` for any other request. */
  preflight(request: Request, path: string): Response | null;
  /** Lets a page of an allowed origin read the response, also an error. */
  allowReading(request: Request, headers: Headers): void;
}

/** The request headers that a page may send besides the CORS-safelisted ones. */
const REQUEST_HEADERS = [
  "content-type",
  "attestation-token",
  "client-name",
  "client-version",
  "x-request-id",
];
/** The response headers that a page may read besides the CORS-safelisted ones. */
const RESPONSE_HEADERS = ["x-request-id", "retry-after", "attestation-failure"];
/** How long a browser may cache the response to a preflight request: Chromium's maximum. */
const MAX_AGE_S = 2 * 60 * 60;

/** @param methodsOf the methods of a path; none for a path that is no route. */
export function createCors(
  { origins, loopback }: Services["config"]["server"]["cors"],
  methodsOf: (path: string) => readonly string[],
): Cors {
  const listed = new Set(origins);
  const isConfigured = loopback || listed.size > 0;

  function allowedOrigin(request: Request): string | null {
    const origin = request.headers.get("origin");
    if (origin === null) return null;
    return listed.has(origin) || (loopback && isLoopback(origin)) ? origin : null;
  }

  return {
    preflight(request, path) {
      const isPreflight =
        request.method === "OPTIONS" && request.headers.has("access-control-request-method");
      const methods = isPreflight ? methodsOf(path) : [];
      if (methods.length === 0 || allowedOrigin(request) === null) return null;
      const headers = {
        "access-control-allow-methods": methods.join(", "),
        "access-control-allow-headers": REQUEST_HEADERS.join(", "),
        "access-control-max-age": String(MAX_AGE_S),
      };
      return new Response(null, { status: 204, headers });
    },

    allowReading(request, headers) {
      if (!isConfigured) return;
      headers.append("vary", "origin"); // for every origin: a cache may have the response for another one
      const origin = allowedOrigin(request);
      if (origin === null) return;
      headers.set("access-control-allow-origin", origin);
      headers.set("access-control-expose-headers", RESPONSE_HEADERS.join(", "));
    },
  };
}

/** Whether a text is a loopback origin in canonical form. */
function isLoopback(origin: string): boolean {
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) return false;
  return isLoopbackHost(url.hostname);
}
