/**
 * Adds the headers that protect an answer: no cache stores it (RFC 9111 §5.2.2.5) unless its handler said otherwise,
 * and no browser takes it for another type than it declares (Fetch standard §3.6).
 */
export function addProtectiveHeaders(headers: Headers): void {
  headers.set("x-content-type-options", "nosniff");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
}
