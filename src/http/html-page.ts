/** What the pages for people have in common: their style, and what their browser may load. */
import { encodeBase64, sha256 } from "../crypto/encoding.ts";
import { SOURCES } from "../runtime/source-files.ts";
import { compressible } from "./response/compression.ts";

const SHARED_STYLE = new URL("http/page-style.css", SOURCES);

/** The style that pages share, followed by that of one page. */
export async function pageStyle(file: URL): Promise<string> {
  const parts = await Promise.all([SHARED_STYLE, file].map((part) => Bun.file(part).text()));
  return parts.join("\n");
}

/** The source expression that permits one inline style or script (CSP 3 §2.3.1). */
export function hashSource(text: string): string {
  return `'sha256-${encodeBase64(sha256(text))}'`;
}

/** A page as a response, protected by {@link protectPage}. */
export async function htmlPage(
  request: Request,
  html: string,
  directives: readonly string[],
): Promise<Response> {
  return protectPage(await compressible(request, html, "text/html; charset=utf-8"), directives);
}

/**
 * Returns the response of a page with its policy: the page may load nothing but what `directives` permit, no other page
 * may frame it, and it sends no referrer.
 */
export function protectPage(response: Response, directives: readonly string[]): Response {
  const policy = [
    "default-src 'none'",
    ...directives,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  response.headers.set("content-security-policy", policy.join("; "));
  response.headers.set("referrer-policy", "no-referrer");
  return response;
}
