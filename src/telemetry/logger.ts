import fs from "node:fs";
import { Writable } from "node:stream";
import pino, { type DestinationStream, type LevelWithSilent, type SerializedError } from "pino";
import { errorCode } from "../runtime/system-errors.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: LevelWithSilent;
  /** `json`: one object a line. `pretty`: for a person at a terminal. */
  readonly format: "json" | "pretty";
  /** Where the lines go; standard output if not given. */
  readonly destination?: DestinationStream;
  /** Called each time standard output did not take what was logged. */
  readonly onFailure?: () => void;
}

/**
 * The log of the process. What is logged is chosen field by field where it happens; nothing of a request's body or
 * headers is ever passed in. Errors are logged under `err` with their causes. A line that cannot be written is lost, and
 * nothing else: a full disk must not end the service.
 */
export async function createLogger({
  level,
  format,
  destination,
  onFailure = () => {},
}: LoggerOptions): Promise<pino.Logger> {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializedError },
  };
  const sink = destination ?? standardOutput(onFailure);
  if (format === "json") return pino(options, destination ?? new GatheredLines(sink));
  const { default: pretty } = await import("pino-pretty");
  return pino(
    options,
    pretty({ destination: streamTo(sink), ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" }),
  );
}

const STDOUT = 1;
/** How long a pipe that is full and does not wait by itself is left alone. */
const FULL_PIPE_PAUSE_MS = 5;

/** Writes at once. What cannot be written is lost: the logger's own destination would try it again for ever. */
function standardOutput(onFailure: () => void): DestinationStream {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  return {
    write(lines) {
      let rest = Buffer.from(lines);
      while (rest.length > 0)
        try {
          rest = rest.subarray(fs.writeSync(STDOUT, rest));
        } catch (error) {
          if (errorCode(error) !== "EAGAIN") return onFailure();
          Atomics.wait(sleeper, 0, 0, FULL_PIPE_PAUSE_MS);
        }
    },
  };
}

/** What the printer writes to has to be a stream. */
function streamTo(sink: DestinationStream): Writable {
  return new Writable({
    write(lines, _encoding, done) {
      sink.write(String(lines));
      done();
    },
  });
}

/** An error with its causes. The `toJSON` that an error of the runtime's loader has works on nothing but the error. */
function serializedError(error: Error): SerializedError {
  const serialized = pino.stdSerializers.errWithCause(error);
  let part: SerializedError | undefined = serialized;
  for (; typeof part === "object" && part !== null; part = part.cause) part.toJSON = undefined;
  return serialized;
}

/** How long lines of a busy process wait to be written together. */
const GATHER_MS = 20;
/** A pipe takes so much as a whole, also beside other writers (POSIX PIPE_BUF on Linux). */
const MAX_GATHERED_BYTES = 4096;
const WARN = 40;

/**
 * Under load, writes lines together: each write wakes their reader, which costs more than the line does. A line
 * after a pause is written at once, and so is a warning or worse, with what came before it; the exit of the process
 * writes what is left. A signal that nobody handles loses what was logged in the last milliseconds.
 */
class GatheredLines implements DestinationStream {
  /** Makes the logger set {@link lastLevel} before each line. */
  readonly [pino.symbols.needsMetadataGsym] = true;
  lastLevel = 0;
  readonly #out: DestinationStream;
  #lines = "";
  #bytes = 0;
  #isGathering = false;

  constructor(out: DestinationStream) {
    this.#out = out;
    process.on("exit", () => this.#writeAll());
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > MAX_GATHERED_BYTES) this.#writeAll();
    this.#lines += line;
    this.#bytes += bytes;
    if (this.#isGathering && this.lastLevel < WARN) return;
    this.#writeAll();
    if (!this.#isGathering) this.#gather();
  }

  #gather(): void {
    this.#isGathering = true;
    const stop = () => {
      this.#isGathering = false;
      if (this.#lines === "") return;
      this.#writeAll();
      this.#gather();
    };
    setTimeout(stop, GATHER_MS).unref();
  }

  #writeAll(): void {
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.#bytes = 0;
    this.#out.write(lines);
  }
}
