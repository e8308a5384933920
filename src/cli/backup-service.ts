/**
 * The one file that `bun run build` makes: the service, and the operator commands beside it. Each command is the module that
 * `bun run` starts, and reads the arguments that follow its name.
 */
import { buildRevision, type CommandName } from "../runtime/program.ts";
import { version } from "../runtime/version.ts";
import { LIMITED, limitEngineMemory } from "./engine-memory.ts";

interface Command {
  readonly does: string;
  readonly run: () => Promise<unknown>;
}

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  serve: { does: "runs the service; the default", run: () => import("../main.ts") },
  health: { does: "asks a service on this machine whether it runs", run: () => import("./health.ts") },
  variables: {
    does: "prints every variable with its default, as a file .env",
    run: () => import("./variables.ts"),
  },
  demo: { does: "goes through the life of a backup on a service", run: () => import("./demo.ts") },
  doctor: { does: "checks what is stored, and repairs it", run: () => import("./doctor.ts") },
  inspect: {
    does: "shows one backup, and brings earlier states of it back",
    run: () => import("./inspect.ts"),
  },
  "backup-data": {
    does: "copies the data folder of the embedded driver",
    run: () => import("./backup-data.ts"),
  },
  "aws-setup": { does: "creates bucket and tables of the AWS driver", run: () => import("./aws-setup.ts") },
  import: {
    does: "takes over the backups of another service",
    run: () => import("./import.ts"),
  },
  export: {
    does: "writes the backups for another service",
    run: () => import("./export.ts"),
  },
};

const USAGE = `Usage: backup-service [COMMAND] [OPTION]...

${Object.entries(COMMANDS)
  .map(([name, { does }]) => `  ${name.padEnd(12)} ${does}`)
  .join("\n")}

backup-service COMMAND --help shows the options of a command. Settings are environment variables, or lines of a file .env in
the working directory. With APP_ENV=development none is needed.
  --version    prints the version, and the commit that it was built from
`;

const [name = "serve", ...args] = process.argv.slice(2);

if (name === "--version" || name === "-v")
  process.stdout.write(`${version}${buildRevision === null ? "" : ` (${buildRevision})`}\n`);
else if (name === "--help" || name === "-h" || name === "help") process.stdout.write(USAGE);
else if (!isCommand(name)) refuse(`there is no command ${name.slice(0, 50)}`);
else if (name === "serve" && args.length > 0) {
  if (args[0] === "--help" || args[0] === "-h") process.stdout.write(USAGE);
  else refuse("serve takes no arguments: settings are environment variables");
} else {
  if (LIMITED.includes(name)) limitEngineMemory();
  process.argv.splice(2, process.argv.length, ...args);
  await COMMANDS[name].run();
}

function isCommand(text: string): text is CommandName {
  return Object.hasOwn(COMMANDS, text);
}

function refuse(reason: string): void {
  process.stderr.write(`${reason}\n\n${USAGE}`);
  process.exitCode = 2;
}
