/** Reads the errors of the AWS SDK. */

/** The HTTP status of the response; `null` when there was none. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const status = memberOf(error, "$metadata", "httpStatusCode");
  return typeof status === "number" ? status : null;
}

/** The text at a path of members; `null` when there is none. */
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
