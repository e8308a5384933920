/** Where the router starts to search for the path. */
const AUTHORITY_START = "http://".length;

/**
 * The path of a request's URL, which router, limits, attestation, log and metrics share. `null` when the URL is not an
 * absolute http(s) URL, or when the router would read another path than the URL parser: Bun 1.4 returns the bare request
 * target as `request.url` when the `Host` header is not a host, and leaves a fragment in it (RFC 9112 §3.2 allows none).
 *
 * @param host the header `Host` of the request. `null` is returned, too, when there are several: a proxy may have read
 *   another one than the service would (RFC 9112 §3.2). Bun makes the URL of the first and joins all in the header.
 */
export function pathOf(url: string, host: string | null = null): string | null {
  if (host?.includes(", ")) return null;
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return null;
  return parsed.pathname === routedPathOf(url) ? parsed.pathname : null;
}

/** The path as Elysia 1.4 reads it with `standardHostname: false`; `test/http/path.test.ts` fails when that changes. */
function routedPathOf(url: string): string {
  const start = url.indexOf("/", AUTHORITY_START);
  const query = url.indexOf("?", start + 1);
  return url.substring(start, query === -1 ? url.length : query);
}
