import { ConfigError } from "../config/config-error.ts";

/**
 * An error for an operator to read: its message and those of its causes; of a {@link ConfigError} every problem, of several
 * errors each.
 */
export function explain(error: unknown): string {
  const chain = new Set<unknown>();
  for (let current = error; current !== undefined && !chain.has(current); current = causeOf(current))
    chain.add(current);
  return [...chain].map(messageOf).join(": ");
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join("\n");
  if (error instanceof AggregateError) return [error.message, ...error.errors.map(messageOf)].join("\n");
  return error instanceof Error ? error.message || error.name : String(error);
}
