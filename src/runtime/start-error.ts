/** System errors that prevent the start of a process, and the variable to change. */
import { errorCode } from "./system-errors.ts";

/** The message is for an operator, in one line, and names the variable to change. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Matches codes such as `EACCES` and `SQLITE_CANTOPEN`, and not those of our own errors. */
const OF_SYSTEM_OR_SQLITE = /^(?:E[A-Z0-9]+|SQLITE_[A-Z_]+)$/;

/**
 * Runs `use`, which opens files in the data folder.
 *
 * @throws StartError for an error of the system or of SQLite. Rethrows other errors.
 */
export async function usingDataDir<T>(dataDir: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof Error) || !OF_SYSTEM_OR_SQLITE.test(errorCode(error) ?? "")) throw error;
    throw new StartError(
      `DATA_DIR=${dataDir} cannot be used (${error.message}): set DATA_DIR to a folder that this user may write`,
      { cause: error },
    );
  }
}

/**
 * Runs `listen`, which opens the port that the variable `name` configures.
 *
 * @throws StartError for an error of the system. Rethrows other errors.
 */
export function listeningOn<T>(
  name: "PORT" | "METRICS_PORT",
  host: string,
  port: number,
  listen: () => T,
): T {
  try {
    return listen();
  } catch (error) {
    if (!(error instanceof Error) || errorCode(error) === null) throw error;
    throw new StartError(listenProblem(name, host, port, error), { cause: error });
  }
}

function listenProblem(name: string, host: string, port: number, error: Error): string {
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use by another process: end that one, or set ${name} to another port`;
    case "EACCES":
      return `this user may not listen on port ${port}: set ${name} to a port above 1023`;
    default:
      return `nothing can listen on port ${port} of ${host} (${error.message}): change HOST or ${name}`;
  }
}
