/** The composition root: from a configuration to everything a request needs. */

import type { Entry } from "./backups/access.ts";
import { type Backups, createBackups } from "./backups/backups.ts";
import type { Config } from "./config/config.ts";
import type { WebAuthnConfig } from "./config/webauthn.ts";
import { ServiceError } from "./errors.ts";
import { type AnswersInFlight, createAnswersInFlight } from "./limits/answers-in-flight.ts";
import { type ClientPseudonym, createClientPseudonym } from "./limits/client-pseudonym.ts";
import { createDiskReserve, type DiskReserve } from "./limits/disk-reserve.ts";
import { createRateLimiter } from "./limits/rate-limiter.ts";
import { ReadingTurns } from "./limits/reading-turns.ts";
import { createRequestLimits, type RequestLimits } from "./limits/request-limits.ts";
import { createUploadBudget, type UploadBudget } from "./limits/upload-budget.ts";
import { InstallationMismatch, joinInstallation, markInService } from "./maintenance/installation.ts";
import { type AttestationVerifier, createAttestationVerifier } from "./proofs/app-attestation/verifier.ts";
import { type Authenticator, createAuthenticator } from "./proofs/authenticator.ts";
import { generatedChallengeTokenKey } from "./proofs/challenge-token-keys.ts";
import { type ChallengeTokens, createChallengeTokens } from "./proofs/challenge-tokens.ts";
import { createFactorAddition, type FactorAddition } from "./proofs/factor-addition.ts";
import { createOidcVerifier } from "./proofs/identity/oidc.ts";
import { createTestIssuer, type TestIssuer } from "./proofs/identity/test-issuer.ts";
import { createJwks } from "./proofs/jwks.ts";
import type { PasskeyVerifier } from "./proofs/passkey/passkey.ts";
import { type Background, createBackground } from "./runtime/background.ts";
import {
  type Clock,
  type Instant,
  instantOf,
  type Random,
  systemClock,
  systemRandom,
} from "./runtime/clock.ts";
import { createLifecycle, type Lifecycle } from "./runtime/lifecycle.ts";
import { memoise } from "./runtime/memoise.ts";
import { usingDataDir } from "./runtime/start-error.ts";
import { type BlobStore, type RecordStore, type Restore, StorageUnavailable } from "./storage/contract.ts";
import { openStores } from "./storage/open.ts";
import { createLogger, type Logger } from "./telemetry/logger.ts";
import { measuredBlobs, measuredRecords } from "./telemetry/measured-stores.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import { createSecurityAlerts } from "./telemetry/security-alerts.ts";

export interface Services extends AsyncDisposable {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly background: Background;
  readonly lifecycle: Lifecycle;
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly challengeTokens: ChallengeTokens;
  readonly authenticator: Authenticator<Entry>;
  readonly factorAddition: FactorAddition<Entry>;
  readonly attestation: AttestationVerifier;
  /** In development, while no provider of accounts is configured. */
  readonly testIssuer: TestIssuer | null;
  readonly requestLimits: RequestLimits;
  readonly clientPseudonym: ClientPseudonym;
  readonly backups: Backups;
  readonly uploadBudget: UploadBudget;
  readonly diskReserve: DiskReserve;
  readonly answersInFlight: AnswersInFlight;
  readonly readingTurns: ReadingTurns;
  /**
   * When the records were restored from an older copy, once records and blobs are known to be of one installation.
   *
   * @throws StorageUnavailable when that is not known yet; InstallationMismatch.
   */
  restores(): Promise<readonly Restore[]>;
  /** Remembers in the stores that they are in service. Called at intervals, so that restored records are recognised. */
  seen(): Promise<void>;
  /**
   * Loads the code that was left for later, before a request has to wait for it. Where that fails, as when no file can be
   * opened, the runtime may keep the failure for as long as the process lives.
   */
  warmUp(): Promise<void>;
}

/** What tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  /** Wraps the stores that the configuration names. */
  readonly wrapStores?: (stores: Stores) => Stores;
}

export interface Stores {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
}

/** How many large uploads are read at a time, and how long one may take to pass on what was read. */
const MAX_READ = 16;
const MAX_READING_TURN_MS = 1_000;

/** How long background work gets when the services are disposed of: with the requests before it, less than 35 s. */
const BACKGROUND_GRACE_MS = 4_000;

/** Builds the services. Disposing of them waits for background work and closes the stores. */
export async function createServices(config: Config, overrides: Overrides = {}): Promise<Services> {
  const clock = overrides.clock ?? systemClock;
  const random = overrides.random ?? systemRandom;
  const startedAt = instantOf(clock);
  const metrics = createMetrics();
  const log =
    overrides.log ?? (await createLogger({ ...config.log, onFailure: () => metrics.logFailures.inc() }));
  const background = createBackground(log);

  // first: where the folder is no place for a service, nothing is to be written there
  const opened = await openStores(
    config.storage,
    {
      clock,
      random,
      onClockSkew: (message) => log.warn(`${message}: set it, since more than requests to AWS goes by it`),
    },
    { serves: true },
  );
  // where nothing can be written, as on a full disk, recoveries go on
  const seen = () => background.run("mark the stores as in service", () => markInService(opened, clock));
  const restores = memoise(async () => {
    await joinInstallation(opened, { clock, random });
    await seen();
    return opened.records.restores();
  });
  await restores().catch(async (error: unknown) => {
    if (error instanceof StorageUnavailable && !(error instanceof InstallationMismatch)) {
      log.warn({ err: error }, "whether records and blobs belong together is not known yet");
      return;
    }
    await opened.blobs[Symbol.asyncDispose]();
    await opened.records[Symbol.asyncDispose]();
    throw error;
  });
  const earliestProofMs = async () => lastRestoreMs(await restores(), startedAt, clock);

  const { keys: given, generatedKeyDir } = config.challengeTokens;
  const generated = () =>
    usingDataDir(generatedKeyDir, () => generatedChallengeTokenKey(generatedKeyDir, random));
  const keys = given.length > 0 ? given : [await generated()];
  const challengeTokens = await createChallengeTokens(keys, clock, earliestProofMs);
  const stores = overrides.wrapStores?.(opened) ?? opened;
  const records = measuredRecords(stores.records, metrics);
  const blobs = measuredBlobs(stores.blobs, metrics);
  const requestLimits = createRequestLimits(
    config.rateLimits,
    createRateLimiter({ clock, background, counters: records }),
  );
  const backups = createBackups({
    records,
    blobs,
    clock,
    random,
    background,
    limits: config.limits,
    destructions: requestLimits,
    alerts: createSecurityAlerts(log, metrics),
  });

  const { webauthn } = config;
  const { findPasskey } = backups;
  const passkeys = lazyPasskeyVerifier(webauthn);
  const jwksAt = (url: string) => createJwks({ url, clock, background });
  const testIssuer = config.oidc.testIssuer ? createTestIssuer(clock, random) : null;
  const authenticator = createAuthenticator({
    challengeTokens,
    passkeys,
    oidc: createOidcVerifier(
      config.oidc,
      testIssuer === null ? jwksAt : () => testIssuer.jwks,
      clock,
      earliestProofMs,
    ),
    records,
    findPasskey,
  });

  const uploadBudget = createUploadBudget(config.limits.maxInFlightUploadBytes);
  metrics.watchUploadMemory(() => uploadBudget.heldBytes);
  const freeBytes = () => blobs.freeBytes();
  if ((await freeBytes()) !== null) metrics.watchFreeDisk(freeBytes);
  const minFreeBytes = config.limits.minFreeDiskBytes;
  const diskReserve = createDiskReserve({
    minFreeBytes,
    freeBytes,
    clock,
    onChange: (hasRoom, bytes) =>
      hasRoom
        ? log.info({ freeBytes: bytes, minFreeBytes }, "backups are created again")
        : log.error({ freeBytes: bytes, minFreeBytes }, "the disk is too full: no backup is created"),
  });
  const answersInFlight = createAnswersInFlight(config.limits.maxInFlightAnswerBytes, clock);
  metrics.watchAnswerDisk(() => answersInFlight.bytes);

  return {
    config,
    clock,
    random,
    log,
    metrics,
    background,
    lifecycle: createLifecycle(),
    records,
    blobs,
    challengeTokens,
    authenticator,
    factorAddition: createFactorAddition({
      challengeTokens,
      authenticator,
      findPasskey,
      webauthn,
      clock,
      random,
    }),
    attestation: createAttestationVerifier(config.attestation, jwksAt, clock),
    testIssuer,
    requestLimits,
    clientPseudonym: createClientPseudonym(keys, clock),
    backups,
    uploadBudget,
    diskReserve,
    answersInFlight,
    readingTurns: new ReadingTurns(MAX_READ, MAX_READING_TURN_MS),
    restores,
    seen,
    async warmUp() {
      await passkeys.load();
      await import("./proofs/turnkey/stamp.ts");
    },
    async [Symbol.asyncDispose]() {
      await background.stop(BACKGROUND_GRACE_MS);
      await blobs[Symbol.asyncDispose]();
      await records[Symbol.asyncDispose]();
    },
  };
}

/** Loads the code that checks passkeys when the first one comes. */
function lazyPasskeyVerifier(config: WebAuthnConfig): PasskeyVerifier & { load(): Promise<unknown> } {
  const verifier = memoise(async () => {
    try {
      const { createPasskeyVerifier } = await import("./proofs/passkey/passkey.ts");
      return createPasskeyVerifier(config);
    } catch (error) {
      throw new ServiceError("service_unavailable", "Passkeys cannot be checked now", { cause: error });
    }
  });
  return {
    load: verifier,
    verifyRegistration: async (...ceremony) => (await verifier()).verifyRegistration(...ceremony),
    verifyAssertion: async (...ceremony) => (await verifier()).verifyAssertion(...ceremony),
  };
}

/**
 * What is older was made before the records were restored, and may have been used then without a trace in them. A restore
 * since the start was found at the start, or by a clock that was ahead. When the process started is asked of the clock as
 * it is now: a clock that was wrong at the restore must neither let used proofs pass nor stop the service.
 */
function lastRestoreMs(restores: readonly Restore[], startedAt: Instant, clock: Clock): number {
  const lastMs = Math.max(0, ...restores.map(({ restoredAtMs }) => restoredAtMs));
  return lastMs < startedAt.nowMs ? lastMs : clock.nowMs() - (clock.elapsedMs() - startedAt.elapsedMs);
}
