/** Behind the scheme's `://`, the first slash begins the path. */
const SCHEME_END = "://";

/** The path of a request's URL as it was sent, which costs much less than to parse the URL. */
export function pathOf(request: Request): string {
  const { url } = request;
  const start = url.indexOf("/", url.indexOf(SCHEME_END) + SCHEME_END.length);
  if (start === -1) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end === -1 ? url.slice(start) : url.slice(start, start + end);
}
