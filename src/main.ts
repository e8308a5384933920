/** The process: environment → configuration → services → listeners, until a signal ends it. */
import { createApp } from "./app.ts";
import { sweep } from "./backup/sweep.ts";
import { ConfigError, loadConfig } from "./config.ts";
import { startServer } from "./server.ts";
import { createServices, type Services } from "./services.ts";
import { version } from "./version.ts";

const GRACE_MS = 30_000;
const SWEEP_EVERY_MS = 60 * 60 * 1000;

const services = await startOrExit();
const { config, log } = services;
const server = startServer(services, createApp(services));
const stopSweeping = sweepRegularly(services);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void shutDown(signal));
announce(); // last: whoever waits for this line may send a signal at once

async function startOrExit(): Promise<Services> {
  try {
    return await createServices(loadConfig(process.env));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`Cannot start: ${error.message}.\n`);
    for (const problem of error.problems) process.stderr.write(`  - ${problem}\n`);
    process.stderr.write("The file .env.example explains every variable.\n");
    process.exit(1);
  }
}

function announce(): void {
  const { storage, environment } = config;
  const where = storage.driver === "local" ? storage.dataDir : `bucket ${storage.bucket}`;
  const reference = config.apiReference ? { docs: `${server.url}/docs` } : {};
  log.info(
    {
      version,
      environment,
      storage: `${storage.driver} (${where})`,
      url: server.url,
      ...reference,
      metrics: `${server.metricsUrl}/metrics`,
    },
    "the backup service is listening",
  );
}

/**
 * Only where one process owns the storage. A bucket shared by many is not for each of them to list; expired rows go
 * by themselves there.
 */
function sweepRegularly({ background, ...stores }: Services): () => void {
  if (config.storage.driver !== "local") return () => {};
  const run = () =>
    background.run("sweep", async () => {
      const result = await sweep(stores);
      if (result.expiredRows + result.unreferencedBlobs > 0) log.info(result, "swept");
    });
  void run();
  const timer = setInterval(run, SWEEP_EVERY_MS);
  return () => clearInterval(timer);
}

async function shutDown(signal: string): Promise<void> {
  log.info({ signal }, "shutting down: finishing running requests");
  process.once(signal, () => process.exit(1)); // the second one means now
  stopSweeping();
  await server.stop(GRACE_MS);
  await services[Symbol.asyncDispose]();
  log.info("bye");
  process.exit(0);
}
