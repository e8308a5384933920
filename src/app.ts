/** The HTTP application: every route behind the same error handling, limits, logging and figures. */
import { Elysia } from "elysia";
import { apiReference } from "./http/api-reference.ts";
import { errorHandler } from "./http/error-handler.ts";
import { jsonResponse } from "./http/json-response.ts";
import { type HandleFrom, withRequestContext } from "./http/request-context.ts";
import { routes } from "./routes/index.ts";
import type { Services } from "./services.ts";
import { version } from "./version.ts";

export interface AppOptions {
  /** How long a request may take until its answer begins; 30 s if not given. */
  readonly timeoutMs?: number;
}

export interface App {
  /** Answers a request from `peerAddress`, the other end of its connection. Never rejects. */
  readonly fetch: HandleFrom;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** How the router reads paths: to the letter, and behind hosts of any length. */
export const ROUTER_OPTIONS = { strictPath: true, handler: { standardHostname: false } } as const;

/** Reads no environment and opens no port. */
export function createApp(services: Services, { timeoutMs = DEFAULT_TIMEOUT_MS }: AppOptions = {}): App {
  const methods = new Map<string, string[]>();
  const methodsOf = (path: string) => methods.get(path) ?? [];
  const business = routes(services);

  const app = new Elysia({ normalize: false, ...ROUTER_OPTIONS })
    .use(errorHandler({ log: services.log, methodsOf }))
    .mapResponse({ as: "global" }, ({ responseValue, request, set }) => {
      if (responseValue instanceof Response) return responseValue;
      const status = typeof set.status === "number" ? set.status : 200;
      if (responseValue === undefined) return new Response(null, { status: 204 });
      return jsonResponse(request, responseValue, status);
    })
    .use(business)
    .use(services.config.apiReference ? apiReference(business, version) : new Elysia());

  for (const { method, path } of app.routes) methods.set(path, [...(methods.get(path) ?? []), method]);
  return {
    fetch: withRequestContext(services, { timeoutMs, methodsOf }, (request) => app.fetch(request)),
  };
}
