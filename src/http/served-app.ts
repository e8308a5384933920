/** Which of several apps a request is for. It authorises nobody: what an app stores opens to its own proofs only. */
import type { RequestLimits } from "../limits/request-limits.ts";
import type { Services } from "../services.ts";

/** An app as the process serves it. */
export interface ServedApp {
  /** `null` where the process serves one app. */
  readonly name: string | null;
  readonly requestLimits: RequestLimits;
  readonly handle: (request: Request) => Response | Promise<Response>;
}

/** The app that a request is for; `null` where it names none of them. */
export type AppChoice = (request: Request, path: string) => ServedApp | null;

/** The paths that differ from app to app. The others, such as `/health`, are those of the process. */
const OF_APPS = /^\/(?:v1|dev|\.well-known)\//;

/**
 * A trusted proxy's header decides where it is configured and there, then the host name. Behind trusted proxies that is the
 * one of `x-forwarded-host`, where they send it. One app gets every request.
 *
 * @param apps at least one; the first serves what does not differ from app to app.
 */
export function createAppChoice(
  apps: readonly { readonly config: Services["config"]; readonly served: ServedApp }[],
): AppChoice {
  const [first] = apps;
  if (first === undefined) throw new Error("at least one app is needed");
  const { app, server } = first.config;
  if (app === null) return () => first.served;
  const { header } = app;
  const { trustedProxyHops } = server;
  const byHost = new Map<string, ServedApp>();
  const byHeader = new Map<string, ServedApp>();
  for (const { config, served } of apps) {
    for (const host of config.app?.hosts ?? []) byHost.set(host, served);
    for (const value of config.app?.headerValues ?? []) byHeader.set(value, served);
  }
  return (request, path) => {
    if (!OF_APPS.test(path)) return first.served;
    const named = header === null ? null : request.headers.get(header);
    if (named !== null) return byHeader.get(named) ?? null;
    return byHost.get(hostOf(request, trustedProxyHops) ?? "") ?? null;
  };
}

/**
 * The host name that the client has asked for, in lower case and without a port; `null` when it is not valid. Of several
 * entries of `x-forwarded-host` it is the one that the outermost of our proxies appended, or the first where they do not
 * append.
 */
function hostOf(request: Request, proxyHops: number): string | null {
  const forwarded = proxyHops === 0 ? null : request.headers.get("x-forwarded-host");
  const entries = forwarded?.split(",").map((entry) => entry.trim()) ?? [];
  const host = entries.at(-proxyHops) ?? entries[0];
  const url = host === undefined ? URL.parse(request.url) : URL.parse(`http://${host}/`);
  return url?.hostname.replace(/\.$/, "") ?? null;
}
