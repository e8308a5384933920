/** The two listeners: the API, and the metrics on a separate port. */
import type { App } from "../app.ts";
import { listeningOn } from "../runtime/start-error.ts";
import { within } from "../runtime/within.ts";
import type { Services } from "../services.ts";
import { addProtectiveHeaders } from "./protective-headers.ts";
import { internalError } from "./response/error-response.ts";
import { removeAbandonedResponses } from "./response/response-files.ts";

export interface RunningServer {
  /** Base URL of the API, without a slash at the end. */
  readonly url: string;
  readonly metricsUrl: string;
  /** The number of requests in progress. */
  readonly runningRequests: number;
  /**
   * Stops accepting connections and resolves when the requests in progress have ended. Closes the remaining connections
   * after `graceMs`.
   */
  stop(graceMs: number): Promise<void>;
}

/**
 * Longer than a request may take, and longer than the 60 s after which common load balancers close a connection: if the
 * service closed it first, their next request could be lost.
 */
export const IDLE_TIMEOUT_S = 75;
/** The client of an upload may be silent for longer than the idle time: an upload has another time limit. */
const NO_TIMEOUT = 0;

/** Opens the ports that the configuration names; 0 takes a free one. */
export function startServer(
  { background, config, log, metrics, random }: Services,
  app: Pick<App, "fetch">,
  idleTimeoutS = IDLE_TIMEOUT_S,
): RunningServer {
  const { host: hostname, port, metricsHost, metricsPort, reusePort } = config.server;
  const listenForApi = () =>
    Bun.serve({
      hostname,
      port,
      reusePort,
      development: false, // otherwise Bun responds to an error with a page of source code
      error(error) {
        const requestId = random.uuid();
        log.error({ err: error, requestId }, "a response could not be sent");
        return protectedResponse(internalError({ "x-request-id": requestId }));
      },
      idleTimeout: idleTimeoutS,
      // Bun's own limit would not respond with our error body; the routes limit what they read.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      async fetch(request, server) {
        const address = server.requestIP(request)?.address ?? "";
        const connection = {
          isOpen: () => server.requestIP(request) !== null, // Bun returns null after the last byte of the response
          limitIdle: (seconds: number) => server.timeout(request, seconds),
        };
        const isMultipart = /^multipart\//i.test(request.headers.get("content-type") ?? "");
        if (isMultipart) server.timeout(request, NO_TIMEOUT);
        const response = await app.fetch(request, address, connection);
        if (isMultipart) server.timeout(request, idleTimeoutS);
        return response;
      },
    });
  const api = listeningOn("PORT", hostname, port, listenForApi);
  const listenForMetrics = () =>
    Bun.serve({
      hostname: metricsHost,
      port: metricsPort,
      reusePort: false, // otherwise each scrape would reach any of the processes
      development: false,
      routes: {
        "/metrics": async () => {
          const headers = { "content-type": metrics.contentType };
          return protectedResponse(new Response(await metrics.text(), { headers }));
        },
      },
      fetch: () => protectedResponse(new Response("Not found", { status: 404 })),
    });
  const metricsListener = listeningOn("METRICS_PORT", metricsHost, metricsPort, listenForMetrics);
  const stopWatching = metrics.watchEventLoop();
  const stopRemoving = removeAbandonedResponses(background);

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

function urlOf(hostname: string, port: number | undefined): string {
  const reachable = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}
