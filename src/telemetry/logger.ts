import fs from "node:fs";
import { Writable } from "node:stream";
import pino, { type DestinationStream, type LevelWithSilent, type SerializedError } from "pino";
import { currentRequest } from "../runtime/current-request.ts";
import { currentSpan } from "../runtime/span.ts";
import { errorCode } from "../runtime/system-errors.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: LevelWithSilent;
  readonly format: "json" | "pretty";
  /** Standard output if not given. */
  readonly destination?: DestinationStream;
  /** Called for each failed write to standard output. */
  readonly onFailure?: () => void;
}

/**
 * The log of the process. Callers pass nothing of a request's body or headers. Each line of a request has its id as
 * `requestId`, of several apps the one that it is for as `app`, and the id of its trace, if it is traced, as `traceId`;
 * errors go under `err`, with their causes. A line that cannot be written is dropped: a full disk must not end the service.
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
    mixin() {
      const request = currentRequest.getStore();
      const app = request?.app ?? undefined;
      return { requestId: request?.id, app, traceId: currentSpan()?.traceId }; // undefined members are omitted
    },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializedError },
  };
  const sink = destination ?? standardOutput(onFailure);
  if (format === "json") return pino(options, destination ?? new BufferedLines(sink));
  const { default: pretty } = await import("pino-pretty");
  return pino(
    options,
    pretty({ destination: streamTo(sink), ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" }),
  );
}

const STDOUT = 1;
/** The pause before the next write to a full, non-blocking pipe. */
const FULL_PIPE_PAUSE_MS = 5;

/** Writes synchronously, and drops what cannot be written: pino's own destination would retry it forever. */
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

/** pino-pretty writes to streams only. */
function streamTo(sink: DestinationStream): Writable {
  return new Writable({
    write(lines, _encoding, done) {
      sink.write(String(lines));
      done();
    },
  });
}

/** An error with its causes. Removes the `toJSON` of Bun's module errors, because it fails on a copy of the error. */
function serializedError(error: Error): SerializedError {
  const serialized = pino.stdSerializers.errWithCause(error);
  let part: SerializedError | undefined = serialized;
  for (; typeof part === "object" && part !== null; part = part.cause) part.toJSON = undefined;
  return serialized;
}

const BUFFER_MS = 20;
/** A write of this size to a pipe is atomic, also with other writers (POSIX PIPE_BUF on Linux). */
const MAX_BUFFERED_BYTES = 4096;
const WARN = 40;

/**
 * Buffers lines under load, because each write wakes the reader, which costs more than the line does. The first line
 * after a pause is written immediately. A warning or worse, and the exit of the process, write the buffer, but of many
 * warnings only the first within {@link BUFFER_MS}: a client that is refused again and again must not block the event loop
 * with writes. A signal without a handler loses the buffer.
 */
class BufferedLines implements DestinationStream {
  /** Makes the logger set {@link lastLevel} before each line. */
  readonly [pino.symbols.needsMetadataGsym] = true;
  lastLevel = 0;
  readonly #out: DestinationStream;
  #lines = "";
  #bytes = 0;
  #isBuffering = false;
  /** Since the last regular write. */
  #hasWrittenWarning = false;

  constructor(out: DestinationStream) {
    this.#out = out;
    process.on("exit", () => this.#flush());
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > MAX_BUFFERED_BYTES) this.#flush();
    this.#lines += line;
    this.#bytes += bytes;
    if (this.#isBuffering && (this.lastLevel < WARN || this.#hasWrittenWarning)) return;
    this.#hasWrittenWarning = this.lastLevel >= WARN;
    this.#flush();
    if (!this.#isBuffering) this.#startBuffering();
  }

  #startBuffering(): void {
    this.#isBuffering = true;
    setTimeout(() => {
      this.#hasWrittenWarning = false;
      this.#isBuffering = this.#lines !== "";
      if (!this.#isBuffering) return;
      this.#flush();
      this.#startBuffering();
    }, BUFFER_MS).unref();
  }

  #flush(): void {
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.#bytes = 0;
    this.#out.write(lines);
  }
}
