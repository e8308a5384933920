/** What the errors of the AWS SDK say about the answer that they were made from. */

/** The HTTP status of the answer that an SDK error is about; `null` when there was none. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const status = memberOf(error, "$metadata", "httpStatusCode");
  return typeof status === "number" ? status : null;
}

/** A text at a path of members; `null` where there is none. */
export function textAt(error: Error, ...path: readonly string[]): string | null {
  const found = memberOf(error, ...path);
  return typeof found === "string" ? found : null;
}

function memberOf(error: Error, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (found, name) => (typeof found === "object" && found !== null ? Reflect.get(found, name) : undefined),
    error,
  );
}
