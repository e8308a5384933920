/**
 * Adds the headers that protect a response: no cache stores it (RFC 9111 §5.2.2.5) unless its handler allows that, and
 * no browser guesses another content type (Fetch standard §3.6).
 */
export function addProtectiveHeaders(headers: Headers): void {
  headers.set("x-content-type-options", "nosniff");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
}
