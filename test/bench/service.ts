import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scripts } from "../../package.json";
import type { Driver } from "../drivers.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import type { LoadOptions, LoadResult } from "./load.ts";

const ROOT = join(import.meta.dir, "../..");
const [, ENGINE_RAM_BYTES] = /BUN_JSC_forceRAMSize=(\d+)/.exec(scripts.start) ?? [];
if (ENGINE_RAM_BYTES === undefined) throw new Error("the script `start` does not set BUN_JSC_forceRAMSize");
/** The memory size that `bun run start` sets for the engine. */
export const ENGINE_ENV = { BUN_JSC_forceRAMSize: ENGINE_RAM_BYTES };

export interface BenchService extends AsyncDisposable {
  readonly url: string;
  readonly metricsUrl: string;
  readonly pid: number;
  /** The long iterations of the event loop during `work`. The program has to import `event-loop-probe.ts`. */
  longIterationsMs(work: () => Promise<unknown>): Promise<number[]>;
  /** From the start of the process to the first answer. */
  readonly firstAnswerMs: number;
}

export interface BenchServiceOptions {
  /** A program that announces its address in a line of JSON. */
  readonly program?: string;
  /** The checkout of this project to take it from; this one if not given. */
  readonly root?: string;
  /** More variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it keeps its data; a folder of its own if not given. */
  readonly driver?: Driver;
}

/** Starts the service, or another program, on an empty storage. */
export async function startBenchService({
  program = "src/main.ts",
  root = ROOT,
  env,
  driver,
}: BenchServiceOptions = {}): Promise<BenchService> {
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-bench-"));
  const storage = await driver?.environment();
  const startedMs = performance.now();
  let report: (iterationsMs: number[]) => void = () => {};
  const child = Bun.spawn([process.execPath, join(root, program)], {
    cwd: dataDir,
    env: {
      ...CLEAN_ENVIRONMENT,
      APP_ENV: "development",
      HOST: "127.0.0.1",
      PORT: "0",
      METRICS_PORT: "0",
      DATA_DIR: dataDir,
      LOG_FORMAT: "json",
      ATTESTATION: "off",
      TRUSTED_PROXY_HOPS: "1", // the load comes from many addresses
      MAX_IN_FLIGHT_ANSWER_BYTES: String(32 * 1024 ** 3), // all the load comes from one address
      ...ENGINE_ENV,
      ...storage?.env,
      ...env,
    },
    stdout: "pipe",
    stderr: "inherit",
    ipc: (iterationsMs) => report(iterationsMs),
  });
  const { url, metrics } = await announcement(child.stdout);
  await (await fetch(`${url}/health`)).text();
  return {
    url,
    metricsUrl: metrics,
    pid: child.pid,
    firstAnswerMs: performance.now() - startedMs,
    async longIterationsMs(work) {
      child.send("start");
      await work();
      const { promise, resolve } = Promise.withResolvers<number[]>();
      report = resolve;
      child.send("stop");
      return promise;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      await rm(dataDir, { recursive: true, force: true });
      await storage?.[Symbol.asyncDispose]();
    },
  };
}

/** Runs the load generator in a process of its own. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const generator = Bun.spawn([process.execPath, join(import.meta.dir, "load.ts"), JSON.stringify(options)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const result = await new Response(generator.stdout).text();
  if ((await generator.exited) !== 0)
    throw new Error(`the load generator failed, see above, at ${options.url}`);
  return JSON.parse(result);
}

/** The first line. The rest is read too, so that the program never waits for a reader. */
function announcement(stdout: ReadableStream<Uint8Array>): Promise<{ url: string; metrics: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ url: string; metrics: string }>();
  const read = async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of stdout) {
      if (text.includes("\n")) continue;
      text += decoder.decode(chunk, { stream: true });
      const [line, more] = text.split("\n", 2);
      if (more !== undefined) resolve(JSON.parse(line ?? ""));
    }
    reject(new Error(`the program ended after it wrote: ${text}`));
  };
  read().catch(reject);
  return promise;
}
