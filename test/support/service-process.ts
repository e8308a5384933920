/** The service as a process of its own, as an operator runs it. */
import { join } from "node:path";
import { CLEAN_ENVIRONMENT } from "./clean-environment.ts";

const ROOT = join(import.meta.dir, "../..");

export interface ServiceProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Sends a signal; the result resolves when it is sent. */
  signal(name: "SIGTERM" | "SIGINT" | "SIGKILL"): void;
  /** The exit code, `null` when a signal ended it. By then {@link lines} has all that it has logged. */
  readonly exited: Promise<number | null>;
  /** What it has logged so far. */
  readonly lines: readonly string[];
}

export interface StartOptions {
  /** How many files and connections the system lets it have open. */
  readonly maxOpenFiles?: number;
  /** How large a file may become, in blocks of 512 bytes. */
  readonly maxFileBlocks?: number;
  /** Starts it by `bun run start`, and sends signals to all processes that this makes, as service managers do. */
  readonly byScript?: boolean;
  /** The repository that it is started in; this one if not given. */
  readonly folder?: string;
  /** The program; `bun src/main.ts` if not given. */
  readonly program?: readonly string[];
}

/** Starts the service on free ports and resolves when it listens. */
export async function startProcess(
  env: Readonly<Record<string, string>>,
  { maxOpenFiles, maxFileBlocks, byScript = false, folder = ROOT, program }: StartOptions = {},
): Promise<ServiceProcess> {
  const limits = [
    ...(maxOpenFiles === undefined ? [] : [`ulimit -n ${maxOpenFiles}`]),
    // without the signal a write beyond the limit fails like one on a full disk
    ...(maxFileBlocks === undefined ? [] : ["trap '' XFSZ", `ulimit -f ${maxFileBlocks}`]),
  ];
  const limit = limits.length === 0 ? [] : ["sh", "-c", [...limits, 'exec "$@"'].join("; "), "sh"];
  const script = ["bun", ...(byScript ? ["run", "start"] : ["src/main.ts"])];
  const command = [...limit, ...(program ?? script)];
  const all = { HOST: "127.0.0.1", PORT: "0", METRICS_PORT: "0", LOG_FORMAT: "json", ...env };
  const child = spawn(all, command, byScript, folder);
  const kill = (signal: NodeJS.Signals) =>
    byScript ? void process.kill(-child.pid, signal) : child.kill(signal);
  const lines: string[] = [];
  const { promise: listening, resolve, reject } = Promise.withResolvers<string>();
  const reading = (async () => {
    for await (const line of linesOf(child.stdout)) {
      lines.push(line);
      const { url }: { url?: string } = JSON.parse(line);
      if (url !== undefined) resolve(url);
    }
    reject(new Error(`the service ended: ${lines.join("\n")} ${await new Response(child.stderr).text()}`));
  })();
  const exited = child.exited.then(async () => {
    await reading;
    return child.exitCode;
  });
  return {
    url: await listening,
    pid: child.pid,
    signal: kill,
    exited,
    lines,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) kill("SIGKILL");
      await child.exited;
      await reading;
    },
  };
}

/** Runs `src/main.ts` to its end. */
export async function runProcess(env: Readonly<Record<string, string>>) {
  const child = spawn(env);
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { exitCode: child.exitCode, stdout, stderr };
}

/** @param detached in a process group of its own, named by its pid. */
function spawn(
  env: Readonly<Record<string, string>>,
  command: readonly string[] = ["bun", "src/main.ts"],
  detached = false,
  folder = ROOT,
) {
  return Bun.spawn([...command], {
    cwd: folder,
    env: { ...CLEAN_ENVIRONMENT, ...env },
    stdout: "pipe",
    stderr: "pipe",
    detached,
  });
}

/** What a process writes, line by line. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
