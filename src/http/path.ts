/** Behind `http://`: where the router begins to look for the path, since hosts may be of one letter. */
const AUTHORITY_START = "http://".length;

/**
 * The path of a request's URL, for router, limits, attestation, log and metrics alike. `null` where there is none that
 * all of them would read in the same way: Bun 1.4 gives the bare request target as the URL when the `Host` header is no
 * host, and a request target may have a fragment (RFC 9112 §3.2 allows none).
 */
export function pathOf(url: string): string | null {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return null;
  return parsed.pathname === routedPathOf(url) ? parsed.pathname : null;
}

/** As Elysia 1.4 reads it with `standardHostname: false`; `test/http/path.test.ts` fails when it reads otherwise. */
function routedPathOf(url: string): string {
  const start = url.indexOf("/", AUTHORITY_START);
  const query = url.indexOf("?", start + 1);
  return url.substring(start, query === -1 ? url.length : query);
}
