/** The composition root: from a configuration to everything a request needs. */

import { adoptingRecords } from "./backups/adoption/adopting-records.ts";
import { createAdoption } from "./backups/adoption/adoption.ts";
import type { Backups } from "./backups/backups.ts";
import { createBackups } from "./backups/create-backups.ts";
import type { AdoptionConfig } from "./config/adoption.ts";
import type { Config } from "./config/config.ts";
import { type ClientPseudonym, createClientPseudonym } from "./limits/client-pseudonym.ts";
import { createDiskReserve, type DiskReserve } from "./limits/disk-reserve.ts";
import { createRateLimiter } from "./limits/rate-limiter.ts";
import { createRequestLimits, type RequestLimits } from "./limits/request-limits.ts";
import { createResponsesInFlight, type ResponsesInFlight } from "./limits/responses-in-flight.ts";
import { createUploadBudget, type UploadBudget } from "./limits/upload-budget.ts";
import { type JoinedInstallation, joinForService } from "./maintenance/joined-installation.ts";
import { type AttestationVerifier, createAttestationVerifier } from "./proofs/app-attestation/verifier.ts";
import { generatedChallengeTokenKey } from "./proofs/challenge-token-keys.ts";
import { type ChallengeTokens, createChallengeTokens } from "./proofs/challenge-tokens.ts";
import { createOidcVerifier, type OidcVerifier } from "./proofs/identity/oidc.ts";
import { createTestIssuer, type TestIssuer } from "./proofs/identity/test-issuer.ts";
import { createJwks } from "./proofs/jwks.ts";
import { createPasskeyVerifier, type PasskeyVerifier } from "./proofs/passkey/passkey.ts";
import { type Background, createBackground } from "./runtime/background.ts";
import { type Clock, type Random, systemClock, systemRandom } from "./runtime/clock.ts";
import { pause } from "./runtime/pause.ts";
import { usingDataDir } from "./runtime/start-error.ts";
import { within } from "./runtime/within.ts";
import type { BlobStore, RecordStore } from "./storage/contract.ts";
import type { InspectableStores } from "./storage/inspection.ts";
import type { LegacySource } from "./storage/legacy.ts";
import { openOtherService, openStores } from "./storage/open.ts";
import type { Outbox } from "./storage/outbox.ts";
import { createAdoptionReports } from "./telemetry/adoption-reports.ts";
import { createLogger, type Logger } from "./telemetry/logger.ts";
import { createMaintenanceReports, type MaintenanceReports } from "./telemetry/maintenance-reports.ts";
import {
  measuredBlobs,
  measuredOutbox,
  measuredRecords,
  measuredSource,
} from "./telemetry/measured-stores.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import { createSecurityAlerts } from "./telemetry/security-alerts.ts";
import { watchService } from "./telemetry/service-gauges.ts";
import { createExportReports, inTrace, startTracing, type Tracing } from "./telemetry/tracing.ts";
import { createWebhookReports, watchOutbox } from "./telemetry/webhook-reports.ts";
import { announcingEvents } from "./webhooks/announced-events.ts";
import { createPost } from "./webhooks/post.ts";
import { printEvents } from "./webhooks/printed-events.ts";
import { startWebhooks, type Webhooks } from "./webhooks/webhooks.ts";

export interface Services extends JoinedInstallation, AsyncDisposable {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** `null` if nothing is traced. */
  readonly tracing: Tracing | null;
  readonly background: Background;
  /** A process that shuts down keeps serving for a while, but `/ready` responds with 503. */
  readonly lifecycle: { isEnding: boolean };
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly challengeTokens: ChallengeTokens;
  readonly idTokens: OidcVerifier;
  readonly passkeys: PasskeyVerifier;
  readonly attestation: AttestationVerifier;
  /** In development, unless a provider of id_tokens is configured. */
  readonly testIssuer: TestIssuer | null;
  readonly requestLimits: RequestLimits;
  readonly clientPseudonym: ClientPseudonym;
  readonly backups: Backups;
  readonly uploadBudget: UploadBudget;
  readonly diskReserve: DiskReserve;
  readonly responsesInFlight: ResponsesInFlight;
}

/** The services, with what only the process uses. */
export interface ProcessServices extends Services {
  /** The stores as they were opened, for maintenance. */
  readonly stores: InspectableStores;
  readonly maintenanceReports: MaintenanceReports;
}

/** What tests replace. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  /** Wraps the stores that the configuration names. */
  readonly wrapStores?: (stores: Stores) => Stores;
  /** Wraps the stores of the other service. */
  readonly wrapOtherService?: (source: LegacySource) => LegacySource;
}

export interface Stores {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
}

/** How long disposing waits for background work. With the requests before it, that is less than 35 s. */
const BACKGROUND_GRACE_MS = 4_000;
/** The last spans are exported in what is left of that time, but at least in this. */
const MIN_EXPORT_MS = 500;

/** Builds the services. Disposing of them waits for background work and closes the stores. */
export async function createServices(config: Config, overrides: Overrides = {}): Promise<ProcessServices> {
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
  const { earliestProofMs } = installation;

  const { keys: given, generatedKeyDir } = config.challengeTokens;
  const generated = () =>
    usingDataDir(generatedKeyDir, () => generatedChallengeTokenKey(generatedKeyDir, random));
  const keys = given.length > 0 ? given : [await generated()];
  const challengeTokens = await createChallengeTokens(keys, clock, earliestProofMs);
  const wrapped = overrides.wrapStores?.(opened) ?? opened;
  const webhooks = webhooksOf(config, opened.records.outbox, { clock, random, log, metrics, tracing });
  const measured = measuredRecords(wrapped.records, metrics);
  const records = webhooks === null ? measured : announcingEvents(measured, webhooks.announce);
  const blobs = measuredBlobs(wrapped.blobs, metrics);
  const requestLimits = createRequestLimits(
    config.rateLimits,
    createRateLimiter({ clock, background, counters: records }),
  );
  const otherService = await otherServiceOf(config.adoption, overrides, { clock, random });
  const backups = createBackups({
    records:
      otherService === null
        ? records
        : adoptingRecords(
            records,
            createAdoption({
              source: measuredSource(otherService.source, metrics),
              issuers: otherService.issuers,
              records,
              blobs,
              clock,
              random,
              background,
              reports: createAdoptionReports(log, metrics),
            }),
          ),
    blobs,
    clock,
    random,
    background,
    limits: config.limits,
    destructions: requestLimits,
    restores: requestLimits,
    alerts: createSecurityAlerts(log, metrics),
    history: config.history,
    deliversEvents: config.webhook !== null,
  });

  // not awaited: users whose backups are here do not need the other service
  if (otherService !== null)
    void background.run("reach the stores of the other service", () => otherService.source.ready());

  const jwksAt = (url: string) => createJwks({ url, clock, background });
  const testIssuer = config.oidc.testIssuer ? createTestIssuer(clock, random) : null;
  const idTokens = createOidcVerifier(
    config.oidc,
    testIssuer === null ? jwksAt : () => testIssuer.jwks,
    clock,
    earliestProofMs,
  );

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

  return {
    config,
    clock,
    random,
    log,
    metrics,
    tracing,
    background,
    lifecycle,
    records,
    blobs,
    stores: opened,
    maintenanceReports: createMaintenanceReports(metrics, clock),
    challengeTokens,
    idTokens,
    passkeys: createPasskeyVerifier(config.webauthn),
    attestation: createAttestationVerifier(config.attestation, jwksAt, clock),
    testIssuer,
    requestLimits,
    clientPseudonym: createClientPseudonym(keys, clock),
    backups,
    uploadBudget,
    diskReserve,
    responsesInFlight,
    ...installation,
    async [Symbol.asyncDispose]() {
      const endsAtMs = performance.now() + BACKGROUND_GRACE_MS;
      await Promise.all([
        within(BACKGROUND_GRACE_MS, webhooks?.stop() ?? Promise.resolve()),
        background.stop(BACKGROUND_GRACE_MS),
      ]);
      const exportMs = Math.max(MIN_EXPORT_MS, endsAtMs - performance.now());
      await within(exportMs, tracing?.stop() ?? Promise.resolve());
      await close({ records, blobs });
      await otherService?.source[Symbol.asyncDispose]();
    },
  };
}

/** Delivers events where a webhook is configured, and prints them in development where none is. */
function webhooksOf(
  { webhook, environment }: Config,
  outbox: Outbox,
  {
    clock,
    random,
    log,
    metrics,
    tracing,
  }: Pick<Services, "clock" | "random" | "log" | "metrics" | "tracing">,
): Webhooks | null {
  if (webhook === null) return environment === "development" ? printEvents(log) : null;
  watchOutbox(metrics, outbox, clock);
  const post = createPost(webhook, clock);
  return startWebhooks({
    outbox: measuredOutbox(outbox, metrics),
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

/** The stores of the other service, and the issuers that it had; `null` where nothing is adopted. */
async function otherServiceOf(
  adoption: AdoptionConfig | null,
  { wrapOtherService = (source) => source }: Overrides,
  sources: { readonly clock: Clock; readonly random: Random },
) {
  if (adoption === null) return null;
  return { source: wrapOtherService(await openOtherService(adoption, sources)), issuers: adoption.issuers };
}

async function close({ records, blobs }: Stores): Promise<void> {
  await blobs[Symbol.asyncDispose]();
  await records[Symbol.asyncDispose]();
}
