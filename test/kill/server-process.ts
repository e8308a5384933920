/** The real process, as an operator starts it, on a storage that persists. */
import { join } from "node:path";
import type { TestStorage } from "../drivers.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { linesOf } from "../support/service-process.ts";

export interface ServerProcess {
  readonly url: string;
  /** Ends the process at once, whatever it is doing. */
  kill(): Promise<void>;
  /** Whether the process still runs, to report with a failure. */
  state(): Promise<string>;
  /** Ends the process as an operator does. @returns its exit code. */
  terminate(): Promise<number>;
}

/**
 * Starts the service and waits until it listens.
 *
 * @param under a program, with its parameters, to run it under.
 * @throws Error with what the process wrote when it does not.
 */
export async function startServerProcess(
  storage: Pick<TestStorage, "env">,
  under: readonly string[] = [],
): Promise<ServerProcess> {
  const child = Bun.spawn([...under, process.execPath, "src/main.ts"], {
    cwd: join(import.meta.dir, "../.."),
    env: {
      ...CLEAN_ENVIRONMENT,
      APP_ENV: "staging",
      HOST: "127.0.0.1",
      PORT: "0",
      METRICS_PORT: "0",
      CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
      WEBAUTHN_RP_ID: "localhost",
      WEBAUTHN_ORIGINS: "http://localhost:8000",
      ATTESTATION: "off",
      TRUSTED_PROXY_HOPS: "0",
      RATE_LIMITS: "false",
      SHUTDOWN_DRAIN_SECONDS: "0",
      ...storage.env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines = linesOf(child.stdout);
  const errors = new Response(child.stderr).text();
  // no `for await`: leaving the loop would close the pipe
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const url = urlIn(line.value);
    if (url === null) continue;
    void drain(lines); // the process must never wait for a reader of its log
    return {
      url,
      async kill() {
        child.kill("SIGKILL");
        await child.exited;
      },
      async state() {
        await new Promise<void>((resolve) => setImmediate(resolve)); // an exit is reported in the next event loop iteration
        const { exitCode, signalCode } = child;
        if (exitCode === null && signalCode === null) return "the process runs";
        return `the process ended by itself with ${signalCode ?? exitCode}: ${await errors}`;
      },
      async terminate() {
        child.kill("SIGTERM");
        return child.exited;
      },
    };
  }
  throw new Error(`the service ended before it listened: ${await errors}`);
}

async function drain(lines: AsyncIterable<string>): Promise<void> {
  for await (const _ of lines);
}

/** The address in the line that announces the service. */
function urlIn(line: string): string | null {
  if (!line.startsWith("{")) return null;
  const entry: unknown = JSON.parse(line);
  return typeof entry === "object" && entry !== null && "url" in entry && typeof entry.url === "string"
    ? entry.url
    : null;
}
