/**
 * `bun run health`: asks the service on this machine whether it runs, for containers that have no other program.
 * Ends with status 0 if it does, 1 if it does not, 2 when the address is not known.
 */
import { parseArgs } from "node:util";
import { loadLocalUrl } from "../config/server.ts";
import { paths } from "../protocol/paths.ts";
import { typed } from "../runtime/program.ts";
import { command, HELP } from "./command.ts";
import { explain } from "./explain.ts";

const USAGE = `Usage: ${typed("health")} [--ready]

Asks the service that listens at HOST and PORT of this machine whether it runs.
  --ready  asks whether it can serve requests: every store responds
`;

const OPTIONS = { ready: { type: "boolean", default: false }, ...HELP } as const;
/** Less than a health check waits for its command. */
const TIMEOUT_MS = 5_000;

await command(USAGE, (args: string[]) => parseArgs({ args, options: OPTIONS }).values, ask);

async function ask({ ready }: { readonly ready: boolean }): Promise<number> {
  const url = loadLocalUrl(process.env) + (ready ? paths.ready : paths.health);
  try {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    process.stdout.write(`${url} responded with ${status}\n`);
    return status === 200 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${url} did not respond: ${explain(error)}\n`);
    return 1;
  }
}
