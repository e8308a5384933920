/** The two listeners: the API, and the figures on a port of their own. */
import type { App } from "../app.ts";
import { listeningOn } from "../runtime/start-error.ts";
import type { Services } from "../services.ts";
import { createMetricsApp } from "../telemetry/metrics-app.ts";
import { rememberConnection } from "./connection.ts";
import { addProtectiveHeaders } from "./protective-headers.ts";
import { removeAbandonedRegularly } from "./response/answer-files.ts";
import { errorResponse } from "./response/error-response.ts";

export interface RunningServer {
  /** Base URL of the API, without a slash at the end. */
  readonly url: string;
  readonly metricsUrl: string;
  /** How many requests are running now. */
  readonly runningRequests: number;
  /**
   * Stops accepting connections and resolves when the running requests are answered, or after `graceMs` at the
   * latest: then the connections that are left are closed.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Connections on which nothing is sent for this long are closed: longer than a request may take, and than the 60 s
 * after which common load balancers close a connection. If the service closed it first, their next request could be
 * lost.
 */
export const IDLE_TIMEOUT_S = 75;
/** An upload has a time limit of its own (time-limit.ts), and its client may be silent for longer. */
const NO_TIMEOUT = 0;

/** Opens the ports that the configuration names; 0 takes a free one. */
export function startServer(
  {
    background,
    config,
    log,
    metrics,
    random,
  }: Pick<Services, "background" | "config" | "log" | "metrics" | "random">,
  app: Pick<App, "fetch">,
  idleTimeoutS = IDLE_TIMEOUT_S,
): RunningServer {
  const { host: hostname, port, metricsHost, metricsPort, reusePort } = config.server;
  const listenForApi = () =>
    Bun.serve({
      hostname,
      port,
      reusePort,
      development: false, // it would answer an error with a page that shows our source
      error(error) {
        const requestId = random.uuid();
        log.error({ err: error, requestId }, "an answer could not be sent");
        const headers = { "x-request-id": requestId };
        return protectedAnswer(errorResponse("internal_server_error", "Something went wrong", 500, headers));
      },
      idleTimeout: idleTimeoutS,
      // Bun's own limit would answer in a shape of its own; the routes limit what they read.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      async fetch(request, server) {
        rememberConnection(request, {
          isOpen: () => server.requestIP(request) !== null, // Bun forgets it with the last byte of the answer
          limitIdle: (seconds) => server.timeout(request, seconds),
        });
        const address = server.requestIP(request)?.address ?? "";
        if (!isMultipart(request)) return app.fetch(request, address);
        server.timeout(request, NO_TIMEOUT);
        const response = await app.fetch(request, address);
        server.timeout(request, idleTimeoutS);
        return response;
      },
    });
  const api = listeningOn("PORT", hostname, port, listenForApi);
  const metricsApp = createMetricsApp(metrics);
  const listenForMetrics = () =>
    Bun.serve({
      hostname: metricsHost,
      port: metricsPort,
      reusePort: false, // figures of two processes on one port would be neither's
      development: false,
      fetch: async (request) => protectedAnswer(await metricsApp.fetch(request)),
    });
  const metricsListener = listeningOn("METRICS_PORT", metricsHost, metricsPort, listenForMetrics);
  const stopWatching = metrics.watchEventLoop();
  const stopRemoving = removeAbandonedRegularly(background);

  return {
    url: urlOf(hostname, api.port),
    metricsUrl: urlOf(metricsHost, metricsListener.port),
    get runningRequests() {
      return api.pendingRequests;
    },
    async stop(graceMs) {
      const { promise: graceOver, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, graceMs);
      await Promise.race([api.stop(), graceOver]);
      clearTimeout(timer);
      const { count } = metrics.requestsInFlight;
      if (count > 0) log.warn({ requests: count }, "the connections of requests that still run are closed");
      await api.stop(true);
      await metricsListener.stop(true);
      stopWatching();
      stopRemoving();
    },
  };
}

function protectedAnswer(response: Response): Response {
  addProtectiveHeaders(response.headers);
  return response;
}

function isMultipart({ headers }: Request): boolean {
  return /^multipart\//i.test(headers.get("content-type") ?? "");
}

function urlOf(hostname: string, port: number | undefined): string {
  const reachable = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
