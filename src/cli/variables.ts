/** `bun run variables`: prints `.env.example`, for those who have the one file and nothing else. */
import { parseArgs } from "node:util";
import { typed } from "../runtime/program.ts";
import { SOURCES } from "../runtime/source-files.ts";
import { command, HELP } from "./command.ts";

const USAGE = `Usage: ${typed("variables")}

Prints every variable that the service reads, with its default, as a file .env that can be changed.
`;

/** Beside the sources; the one file has it among them. */
const EXAMPLE = new URL(Bun.isStandaloneExecutable ? ".env.example" : "../.env.example", SOURCES);

await command(USAGE, (args: string[]) => parseArgs({ args, options: HELP }).values, print);

async function print(): Promise<number> {
  process.stdout.write(await Bun.file(EXAMPLE).text());
  return 0;
}
