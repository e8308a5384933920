/** The composition root: from the configuration of each app to everything a request for it needs. */
import { type AppServices, type Services, type Shared, type Stores, servicesOf } from "./app-services.ts";
import type { Configs } from "./config/config.ts";
import { createClientPseudonym } from "./limits/client-pseudonym.ts";
import { createDiskReserve } from "./limits/disk-reserve.ts";
import { createResponsePermits, createResponsesInFlight } from "./limits/responses-in-flight.ts";
import { createUploadBudget } from "./limits/upload-budget.ts";
import { joinForService } from "./maintenance/joined-installation.ts";
import { generatedChallengeTokenKey } from "./proofs/challenge-token-keys.ts";
import { createJwks } from "./proofs/jwks.ts";
import { createBackground } from "./runtime/background.ts";
import { type Clock, type Random, systemClock, systemRandom } from "./runtime/clock.ts";
import { pause } from "./runtime/pause.ts";
import { usingDataDir } from "./runtime/start-error.ts";
import { within } from "./runtime/within.ts";
import type { InspectableStores } from "./storage/inspection.ts";
import type { LegacySource } from "./storage/legacy.ts";
import { openStores, type StorePatience } from "./storage/open.ts";
import type { Outbox } from "./storage/outbox.ts";
import { createLogger, type Logger } from "./telemetry/logger.ts";
import { createMaintenanceReports, type MaintenanceReports } from "./telemetry/maintenance-reports.ts";
import { measuredBlobs, measuredOutbox, measuredRecords } from "./telemetry/measured-stores.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { createRoomReports } from "./telemetry/room-reports.ts";
import { watchService } from "./telemetry/service-gauges.ts";
import { createExportReports, inTrace, startTracing } from "./telemetry/tracing.ts";
import { createWebhookReports, watchOutbox } from "./telemetry/webhook-reports.ts";
import { announcingEvents } from "./webhooks/announced-events.ts";
import { createPost } from "./webhooks/post.ts";
import { printEvents } from "./webhooks/printed-events.ts";
import { startWebhooks, type Webhooks } from "./webhooks/webhooks.ts";

export type { Services, Stores } from "./app-services.ts";

/** The services of each app; those of the first one are its own. Disposing of it ends them all. */
export interface ProcessServices extends Services, AsyncDisposable {
  readonly apps: readonly Services[];
  /** The stores as they were opened, for maintenance: of all apps. */
  readonly stores: InspectableStores;
  readonly maintenanceReports: MaintenanceReports;
}

/** What tests replace. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  readonly patience?: StorePatience;
  /** Wraps the stores that the configuration names. */
  readonly wrapStores?: (stores: Stores) => Stores;
  /** Wraps the stores of the other service. */
  readonly wrapOtherService?: (source: LegacySource) => LegacySource;
}

/** How long disposing waits for background work. With the requests before it, that is less than 35 s. */
const BACKGROUND_GRACE_MS = 4_000;
/** The last spans are exported in what is left of that time, but at least in this. */
const MIN_EXPORT_MS = 500;

/** Builds the services. Disposing of them waits for background work and closes the stores. */
export async function createServices(configs: Configs, overrides: Overrides = {}): Promise<ProcessServices> {
  const [config, ...others] = configs;
  const clock = overrides.clock ?? systemClock;
  const random = overrides.random ?? systemRandom;
  const { revision, storage } = config;
  const metrics = createMetrics({ revision: revision ?? "", driver: storage.driver });
  const log =
    overrides.log ?? (await createLogger({ ...config.log, onFailure: () => metrics.logFailures.inc() }));
  const tracing =
    config.tracing === null
      ? null
      : await startTracing(config.tracing, createExportReports(log, metrics, clock));
  const background = createBackground(log);

  // first: if no service may use the folder, nothing may be written there
  const opened = await openStores(
    config.storage,
    {
      clock,
      random,
      onPermitWait: (seconds) => metrics.permitWait.observe({ permit: "s3_transfer" }, seconds),
      onClockSkew: (message) => log.warn(`${message}: set it, since expiry and limits depend on it too`),
      ...overrides.patience,
    },
    { serves: true },
  );
  const installation = await joinForService(opened, {
    clock,
    random,
    background,
    onUnavailable: (err) => log.warn({ err }, "whether records and blobs belong together is not known yet"),
  }).catch(async (error: unknown) => {
    await close(opened);
    throw error;
  });

  const { keys: given, generatedKeyDir } = config.challengeTokens;
  const generated = () =>
    usingDataDir(generatedKeyDir, () => generatedChallengeTokenKey(generatedKeyDir, random));
  const keys = given.length > 0 ? given : [await generated()];
  const wrapped = overrides.wrapStores?.(opened) ?? opened;
  const webhooks = webhooksOf(configs, opened.records.outbox, { clock, random, log, metrics, tracing });
  const measured = measuredRecords(wrapped.records, metrics);
  const records = webhooks === null ? measured : announcingEvents(measured, webhooks.announce);
  const blobs = measuredBlobs(wrapped.blobs, metrics);

  const uploadBudget = createUploadBudget(config.limits.maxInFlightUploadBytes);
  const freeBytes = () => blobs.freeBytes();
  const diskReserve = createDiskReserve({
    minFreeBytes: config.limits.minFreeDiskBytes,
    freeBytes,
    clock,
    log,
  });
  const responsesInFlight = createResponsesInFlight(config.limits.maxInFlightAnswerBytes, clock);
  const lifecycle = { isEnding: false };
  watchService(metrics, {
    limits: config.limits,
    uploadBudget,
    responsesInFlight,
    lifecycle,
    freeBytes: (await freeBytes()) === null ? null : freeBytes,
  });

  const shared: Shared = {
    clock,
    random,
    log,
    metrics,
    tracing,
    background,
    roomReports: createRoomReports(log, clock),
    lifecycle,
    stores: { records, blobs },
    keys,
    jwksAt: oncePerUrl((url) => createJwks({ url, clock, background })),
    wrapOtherService: overrides.wrapOtherService,
    clientPseudonym: createClientPseudonym(keys, clock),
    uploadBudget,
    diskReserve,
    responsesInFlight,
    responsePermits: createResponsePermits((seconds) =>
      metrics.permitWait.observe({ permit: "large_response" }, seconds),
    ),
    ...installation,
  };
  const first = await servicesOf(config, shared);
  const ofOthers: AppServices[] = [];
  for (const other of others) ofOthers.push(await servicesOf(other, shared));
  const apps = [first, ...ofOthers];
  return {
    ...first.services,
    apps: apps.map(({ services }) => services),
    stores: opened,
    maintenanceReports: createMaintenanceReports(metrics, clock),
    async [Symbol.asyncDispose]() {
      const endsAtMs = performance.now() + BACKGROUND_GRACE_MS;
      await Promise.all([
        within(BACKGROUND_GRACE_MS, webhooks?.stop() ?? Promise.resolve()),
        background.stop(BACKGROUND_GRACE_MS),
      ]);
      const exportMs = Math.max(MIN_EXPORT_MS, endsAtMs - performance.now());
      await within(exportMs, tracing?.stop() ?? Promise.resolve());
      await close({ records, blobs });
      for (const { otherService } of apps) await otherService?.[Symbol.asyncDispose]();
    },
  };
}

function oncePerUrl<T>(create: (url: string) => T): (url: string) => T {
  const created = new Map<string, T>();
  return (url) => {
    const known = created.get(url) ?? create(url);
    created.set(url, known);
    return known;
  };
}

/** Delivers events where a webhook is configured, and prints them in development where none is. */
function webhooksOf(
  configs: Configs,
  outbox: Outbox,
  {
    clock,
    random,
    log,
    metrics,
    tracing,
  }: Pick<Services, "clock" | "random" | "log" | "metrics" | "tracing">,
): Webhooks | null {
  const [{ webhook, environment }] = configs;
  const unscoped = configs.find(({ app }) => app?.scope === null)?.app?.name ?? null;
  if (webhook === null) return environment === "development" ? printEvents(log, unscoped) : null;
  watchOutbox(metrics, outbox, clock);
  const post = createPost(webhook, clock);
  return startWebhooks({
    outbox: measuredOutbox(outbox, metrics),
    unscoped,
    post: (message, stopping) =>
      inTrace(tracing, "POST webhook", "client", async (span) => {
        const outcome = await post(message, stopping);
        span?.set({ outcome });
        return outcome;
      }),
    reports: createWebhookReports(log, metrics, clock),
    clock,
    random,
    pause,
  });
}

async function close({ records, blobs }: Stores): Promise<void> {
  await blobs[Symbol.asyncDispose]();
  await records[Symbol.asyncDispose]();
}
