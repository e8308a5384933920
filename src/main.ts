/** The process: environment → configuration → services → listeners, until a signal ends it. */
import { createApp } from "./app.ts";
import { loadConfigs } from "./config/config.ts";
import { ConfigError } from "./config/config-error.ts";
import { type RunningServer, startServer } from "./http/listen.ts";
import { COLLECT_EVERY_MS, createLeasedCollection } from "./maintenance/leased-collection.ts";
import { createSweep } from "./maintenance/sweep.ts";
import { typed } from "./runtime/program.ts";
import { StartError } from "./runtime/start-error.ts";
import { version } from "./runtime/version.ts";
import { within } from "./runtime/within.ts";
import { createServices, type ProcessServices } from "./services.ts";

/**
 * How long running requests may take once the port is closed. A longer upload is aborted, which loses nothing: the client
 * retries it with the same challenge, and what was stored before remains.
 */
const GRACE_MS = 30_000;
const SWEEP_EVERY_MS = 60 * 60 * 1000;
const MARKED_EVERY_MS = 60 * 60 * 1000;
/** The delay until the next sweep if this one found blobs to check again: see {@link createSweep}. */
const SWEEP_AGAIN_AFTER_MS = 5 * 60 * 1000;
/** A signal to a process group arrives several times: `bun run` forwards it to a child that has received it too. */
const SAME_SIGNAL_MS = 1_000;
const ENDS_AT_ONCE = "a second signal (Ctrl-C) later than a second after the first ends the process at once";

const HINT = Bun.isStandaloneExecutable
  ? `${typed("variables")} explains every variable; APP_ENV=development needs none.`
  : "The file .env.example explains every variable; bun run dev needs none.";

const { services, server } = await startOrExit();
const { config, log } = services;
const stopMaintenance =
  config.storage.driver === "local" ? sweepRegularly(services) : collectRegularly(services);
setInterval(() => void services.markInService(), MARKED_EVERY_MS).unref();
let shuttingDownSinceMs: number | null = null;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onSignal(signal));
announce(); // last: a process that waits for this line may send a signal at once

async function startOrExit(): Promise<{ services: ProcessServices; server: RunningServer }> {
  try {
    const services = await createServices(loadConfigs(process.env));
    return { services, server: startServer(services, createApp(services)) };
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`Cannot start: ${error.message}.\n`);
      for (const problem of error.problems) process.stderr.write(`  - ${problem}\n`);
      process.stderr.write(`${HINT}\n`);
    } else if (error instanceof StartError || (error instanceof Error && "code" in error)) {
      // a port in use, a folder that cannot be written, stores of two installations
      process.stderr.write(`Cannot start: ${error.message}\n`);
    } else throw error;
    process.exit(1);
  }
}

function announce(): void {
  const { storage, environment } = config;
  const where = storage.driver === "local" ? storage.dataDir : `bucket ${storage.bucket}`;
  log.info(
    {
      version,
      environment,
      storage: `${storage.driver} (${where})`,
      apps: config.app === null ? undefined : services.apps.map((each) => each.config.app?.name),
      url: server.url,
      docs: config.apiReference ? `${server.url}/docs` : undefined, // undefined members are omitted
      metrics: `${server.metricsUrl}/metrics`,
    },
    "the backup service is listening",
  );
}

/** For the embedded driver. Other processes may sweep the same folder. */
function sweepRegularly(services: ProcessServices): () => void {
  const { background, stores, clock, random, restores, maintenanceReports } = services;
  const sweep = createSweep({ ...stores, clock, random, restores, onCounted: maintenanceReports.counted });
  const run = async () => {
    let nextMs = SWEEP_EVERY_MS;
    await background.run("sweep", async (stopping) => {
      const { suspects, ...result } = await maintenanceReports.run("sweep", () => sweep(stopping));
      if (suspects > 0) nextMs = SWEEP_AGAIN_AFTER_MS;
      if (result.refusal !== null)
        log.error(result, `unreferenced blobs are not deleted: run ${typed("doctor")}`);
      else if (result.expiredRows + result.collected + result.unreferencedBlobs + result.leftAlone > 0)
        log.info(result, "swept");
    });
    timer = setTimeout(run, nextMs);
  };
  let timer = setTimeout(run, 0);
  return () => clearTimeout(timer);
}

/**
 * For the AWS driver, where one of the processes collects. None sweeps: the bucket is too large to be listed each hour, and
 * DynamoDB deletes expired rows itself.
 */
function collectRegularly(services: ProcessServices): () => void {
  const { background, stores, clock, random, maintenanceReports } = services;
  const collect = createLeasedCollection({ ...stores, clock, random });
  const run = async () => {
    await background.run("collect", async (stopping) => {
      const result = await maintenanceReports.run("collection", () => collect(stopping));
      if (result !== null && result.collected + result.expiredRows > 0) log.info(result, "collected");
    });
    timer = setTimeout(run, COLLECT_EVERY_MS);
  };
  let timer = setTimeout(run, 0);
  return () => clearTimeout(timer);
}

function onSignal(signal: string): void {
  if (shuttingDownSinceMs !== null) {
    if (performance.now() - shuttingDownSinceMs > SAME_SIGNAL_MS) process.exit(1);
    return;
  }
  shuttingDownSinceMs = performance.now();
  services.lifecycle.isEnding = true;
  const { shutdownDrainSeconds: drainSeconds } = config.server;
  if (drainSeconds > 0)
    log.info(
      { signal, drainSeconds },
      `shutting down: not ready, serving until the drain ends; ${ENDS_AT_ONCE}`,
    );
  setTimeout(() => {
    const { runningRequests } = server;
    const waiting =
      runningRequests === 0 ? "" : `, waiting for ${runningRequests} to finish; ${ENDS_AT_ONCE}`;
    log.info({ signal, runningRequests }, `shutting down: finishing running requests${waiting}`);
    void shutDown();
  }, drainSeconds * 1000);
}

async function shutDown(): Promise<void> {
  stopMaintenance();
  // an older copy of the records that is restored later is recognised by this time
  await Promise.all([server.stop(GRACE_MS), within(GRACE_MS, services.markInService())]);
  await services[Symbol.asyncDispose]();
  log.info("stopped");
  process.exit();
}
