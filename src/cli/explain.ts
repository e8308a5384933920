import { ConfigError } from "../config.ts";

/** An error for an operator to read: each problem of a configuration, or the message with what caused it. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.problems.join("\n");
  const messages: string[] = [];
  for (
    let current = error;
    current !== undefined;
    current = current instanceof Error ? current.cause : undefined
  )
    messages.push(current instanceof Error ? current.message || current.name : String(current));
  return messages.join(": ");
}
