/** The program that runs: the sources in Bun, or the one file that `bun run build` makes of them. */

/** Replaced where the one file is built; not defined where the sources run. */
declare const BUILD_REVISION: string | undefined;

/** The commit that the one file was built from; `null` where the sources run, and where it was not known. */
export const buildRevision: string | null =
  typeof BUILD_REVISION === "undefined" || BUILD_REVISION === "" ? null : BUILD_REVISION;

/** The operator commands by their names in the one file. */
export type CommandName =
  | "aws-setup"
  | "backup-data"
  | "demo"
  | "doctor"
  | "export"
  | "health"
  | "import"
  | "inspect"
  | "serve"
  | "variables";

/** The scripts of package.json that have another name than the command. */
const SCRIPTS: Readonly<Partial<Record<CommandName, string>>> = { "aws-setup": "aws:setup", serve: "start" };

/** How an operator types a command of this program. */
export function typed(command: CommandName): string {
  return Bun.isStandaloneExecutable ? `backup-service ${command}` : `bun run ${SCRIPTS[command] ?? command}`;
}
