import pino, { type DestinationStream, type LevelWithSilent } from "pino";
import pretty from "pino-pretty";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: LevelWithSilent;
  /** `json`: one object a line. `pretty`: for a person at a terminal. */
  readonly format: "json" | "pretty";
  /** Where the lines go; standard output if not given. */
  readonly destination?: DestinationStream;
}

/**
 * The log of the process. What is logged is chosen field by field where it happens; nothing of a request's body or
 * headers is ever passed in. Errors are logged under `err` with their causes.
 */
export function createLogger({ level, format, destination }: LoggerOptions): pino.Logger {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.errWithCause },
  };
  const sink = destination ?? pino.destination({ dest: 1, sync: true });
  if (format === "json") return pino(options, sink);
  return pino(
    options,
    pretty({ destination: sink, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" }),
  );
}
