/** The calls in a trace of strace(1) with `-f -y`. */

/** `12 write(3</a>, "x"..., 9) = 9`, or one half of it when another thread came in between. */
const WHOLE = /^\d+ +(\w+)\((.*)\) += (.+)$/;
const BEGINNING = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const REST = /^(\d+) +<\.\.\. \w+ resumed>(.*)\) += (.+)$/;

export interface Call {
  readonly name: string;
  readonly parameters: string;
  /** The line it began in. */
  readonly line: number;
}

export interface CallListener {
  /** With the parameters that are known before the call takes effect. */
  begins(call: Call): void;
  ends(call: Call, result: string): void;
}

export class TracedCalls {
  /** The number of the line that was read last. */
  line = 0;
  readonly #listener: CallListener;
  readonly #begun = new Map<string, Call>();

  constructor(listener: CallListener) {
    this.#listener = listener;
  }

  /** The following lines are of another process. */
  startProcess(): void {
    this.#begun.clear();
  }

  read(text: string): void {
    this.line++;
    const [, name = "", parameters = "", result = ""] = WHOLE.exec(text) ?? [];
    if (name !== "") {
      const call = { name, parameters, line: this.line };
      this.#listener.begins(call);
      this.#listener.ends(call, result);
      return;
    }
    const [, beginner = "", begun = "", known = ""] = BEGINNING.exec(text) ?? [];
    if (begun !== "") {
      const call = { name: begun, parameters: known, line: this.line };
      this.#begun.set(beginner, call);
      this.#listener.begins(call);
      return;
    }
    const [, ender = "", more = "", outcome = ""] = REST.exec(text) ?? [];
    const call = this.#begun.get(ender);
    if (call === undefined) return;
    this.#begun.delete(ender);
    this.#listener.ends({ ...call, parameters: call.parameters + more }, outcome);
  }
}

/** The path behind the file descriptor that comes first. */
export function openFile(parameters: string): string | null {
  return /^\d+<(\/[^>]*)>/.exec(parameters)?.[1] ?? null;
}

/** The paths that are given by name. */
export function namesIn(parameters: string): string[] {
  return [...parameters.matchAll(/"(\/[^"]*)"/g)].map(([, path = ""]) => path);
}
