/** The HTTP application: every route behind the same error handling, limits, logging and metrics. */
import { Elysia } from "elysia";
import { DISCARD_LIMITS } from "./http/body/unread-body.ts";
import { errorHandler } from "./http/error-handler.ts";
import { playground } from "./http/playground.ts";
import { guide } from "./http/reference/guide/page.ts";
import { apiReference } from "./http/reference/page.ts";
import { type HandleFrom, type RequestContextOptions, withRequestContext } from "./http/request-context.ts";
import { compressible } from "./http/response/compression.ts";
import { createAppChoice } from "./http/served-app.ts";
import { startPage } from "./http/start-page.ts";
import { wellKnown } from "./http/well-known.ts";
import { routes } from "./routes/index.ts";
import { systemClock } from "./runtime/clock.ts";
import type { Services } from "./services.ts";

export type AppOptions = Partial<Omit<RequestContextOptions, "methodsOf">>;

export interface App {
  readonly fetch: HandleFrom;
}

/** How long a request may take, besides what an upload may need. */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** A path with a trailing slash is another path; the host may have any length. */
export const ROUTER_OPTIONS = { strictPath: true, handler: { standardHostname: false } } as const;

/** Reads no environment and opens no port. */
export function createApp(
  services: Services & { readonly apps: readonly Services[] },
  { timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock, discardLimits = DISCARD_LIMITS }: AppOptions = {},
): App {
  const methods = new Map<string, readonly string[]>();
  const apps = services.apps.map((ofApp) => {
    const { router, methods: own } = createRouter(ofApp);
    for (const [path, ofPath] of own)
      methods.set(path, [...new Set([...(methods.get(path) ?? []), ...ofPath])]);
    const { config, requestLimits } = ofApp;
    const handle = (request: Request) => router.fetch(request);
    return { config, served: { name: config.app?.name ?? null, requestLimits, handle } };
  });
  const methodsOf = (path: string) => methods.get(path) ?? [];
  const options = { timeoutMs, clock, discardLimits, methodsOf };
  return { fetch: withRequestContext(services, options, createAppChoice(apps)) };
}

/** The routes of one app, which know nothing of the others, and the methods of each path. */
function createRouter(services: Services) {
  const methods = new Map<string, string[]>();
  const methodsOf = (path: string) => methods.get(path) ?? [];
  const apiRoutes = routes(services);
  const { config, log, roomReports } = services;
  const hasPlayground = config.environment === "development";
  const router = new Elysia({ normalize: false, ...ROUTER_OPTIONS })
    .use(errorHandler({ log, roomReports, methodsOf }))
    .mapResponse({ as: "global" }, ({ responseValue, request, set }) => {
      if (responseValue instanceof Response) return responseValue;
      const status = typeof set.status === "number" ? set.status : 200;
      if (responseValue === undefined) return new Response(null, { status: 204 });
      return compressible(request, JSON.stringify(responseValue), "application/json", status);
    })
    .use(apiRoutes)
    .use(wellKnown(config.appLinks))
    .use(startPage(config))
    .use(config.apiReference ? apiReference(apiRoutes, hasPlayground) : new Elysia())
    .use(config.apiReference ? guide(hasPlayground) : new Elysia())
    .use(hasPlayground ? playground(config.oidc.testIssuer) : new Elysia());
  for (const { method, path } of router.routes) methods.set(path, [...methodsOf(path), method]);
  return { router, methods };
}
