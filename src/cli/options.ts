import { explain } from "./explain.ts";

/** What every command takes besides, for `parseArgs`. */
export const HELP = { help: { type: "boolean", short: "h", default: false } } as const;

/**
 * The options of a command, as `read` makes them of its arguments. A number is the status to end with: `usage` was
 * asked for, or `read` threw, and that was written.
 */
export function optionsOrStatus<T extends { readonly help: boolean }>(
  usage: string,
  read: () => T,
): T | number {
  try {
    const options = read();
    if (!options.help) return options;
    process.stdout.write(usage);
    return 0;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n\n${usage}`);
    return 2;
  }
}
