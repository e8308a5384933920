import { explain } from "./explain.ts";

/** The option that every command has, for `parseArgs`. */
export const HELP = { help: { type: "boolean", short: "h", default: false } } as const;

/** The option of commands for the backups of one app, for `parseArgs`. */
export const APP = { app: { type: "string" } } as const;

export const APP_USAGE = "  --app       which app's, where APPS_FILE is set; required then\n";

/**
 * Runs a command. The process will end with the status that `act` returns; with 0 when `usage` was asked for; with 2 when
 * `read` refuses the arguments or `act` throws, and the reason is written.
 */
export async function command<T extends { readonly help: boolean }>(
  usage: string,
  read: (args: string[]) => T,
  act: (options: T) => Promise<number>,
): Promise<void> {
  let help = usage;
  try {
    const options = read(process.argv.slice(2));
    help = "";
    if (options.help) process.stdout.write(usage);
    else process.exitCode = await act(options);
  } catch (error) {
    process.stderr.write(`${explain(error)}\n${help && `\n${help}`}`);
    process.exitCode = 2;
  }
}
