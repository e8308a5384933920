/** The length that headers declare; `null` when they do not, or not clearly, as where the same one is there twice. */
export function declaredLength(headers: Headers): number | null {
  const length = headers.get("content-length");
  return length !== null && /^\d+$/.test(length) ? Number(length) : null;
}
