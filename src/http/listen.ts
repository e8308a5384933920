/** The two listeners: the API, and the metrics on a separate port. */
import type { App } from "../app.ts";
import { listeningOn } from "../runtime/start-error.ts";
import { within } from "../runtime/within.ts";
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
  /** The number of requests in progress. */
  readonly runningRequests: number;
  /**
   * Stops accepting connections and resolves when the requests in progress have ended. After `graceMs` it closes the
   * connections that are left.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * How long a connection may be idle: longer than a request may take, and longer than the 60 s after which common load
 * balancers close a connection. If the service closed the connection first, their next request could be lost.
 */
export const IDLE_TIMEOUT_S = 75;
/** An upload has its own time limit (time-limit.ts), and its client may be silent for longer than the idle time. */
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
      development: false, // in development mode Bun answers an error with a page of source code
      error(error) {
        const requestId = random.uuid();
        log.error({ err: error, requestId }, "a response could not be sent");
        const headers = { "x-request-id": requestId };
        return protectedResponse(
          errorResponse("internal_server_error", "Something went wrong", 500, headers),
        );
      },
      idleTimeout: idleTimeoutS,
      // Bun's own limit does not answer with our error body; the routes limit what they read.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      async fetch(request, server) {
        rememberConnection(request, {
          isOpen: () => server.requestIP(request) !== null, // Bun returns null after the last byte of the response
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
      reusePort: false, // otherwise each scrape would reach any of the processes
      development: false,
      fetch: async (request) => protectedResponse(await metricsApp.fetch(request)),
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
      await within(graceMs, api.stop());
      const { count } = metrics.requestsInFlight;
      if (count > 0) log.warn({ requests: count }, "the connections of requests that still run are closed");
      await api.stop(true);
      await metricsListener.stop(true);
      stopWatching();
      stopRemoving();
    },
  };
}

function protectedResponse(response: Response): Response {
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
