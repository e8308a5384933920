import { ConfigError } from "../config/config-error.ts";

/** An error for an operator to read: each problem of a configuration, or the message with what caused it. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join("\n");
  const seen = new Set<unknown>();
  for (
    let current = error;
    current !== undefined && !seen.has(current);
    current = current instanceof Error ? current.cause : undefined
  )
    seen.add(current);
  return [...seen]
    .map((each) => (each instanceof Error ? each.message || each.name : String(each)))
    .join(": ");
}
