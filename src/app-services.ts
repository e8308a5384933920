/** The services of one app, made of what all apps of the process share. */

import { adoptingRecords } from "./backups/adoption/adopting-records.ts";
import { createAdoption } from "./backups/adoption/adoption.ts";
import type { Backups } from "./backups/backups.ts";
import { createBackups } from "./backups/create-backups.ts";
import type { AdoptionConfig } from "./config/adoption.ts";
import type { ChallengeTokenKey } from "./config/challenge-tokens.ts";
import type { Config } from "./config/config.ts";
import type { ClientPseudonym } from "./limits/client-pseudonym.ts";
import type { DiskReserve } from "./limits/disk-reserve.ts";
import { createRateLimiter } from "./limits/rate-limiter.ts";
import { createRequestLimits, type RequestLimits } from "./limits/request-limits.ts";
import type { ResponsesInFlight } from "./limits/responses-in-flight.ts";
import type { UploadBudget } from "./limits/upload-budget.ts";
import type { JoinedInstallation } from "./maintenance/joined-installation.ts";
import { type AttestationVerifier, createAttestationVerifier } from "./proofs/app-attestation/verifier.ts";
import { type ChallengeTokens, createChallengeTokens } from "./proofs/challenge-tokens.ts";
import { createOidcVerifier, type OidcVerifier } from "./proofs/identity/oidc.ts";
import { createTestIssuer, type TestIssuer } from "./proofs/identity/test-issuer.ts";
import type { Jwks } from "./proofs/jwks.ts";
import { createPasskeyVerifier, type PasskeyVerifier } from "./proofs/passkey/passkey.ts";
import type { Background } from "./runtime/background.ts";
import type { Clock, Random } from "./runtime/clock.ts";
import type { FairSemaphore } from "./runtime/fair-semaphore.ts";
import { blobsOfApp, recordsOfApp, storedId } from "./storage/app-scope.ts";
import type { BlobStore, RecordStore } from "./storage/contract.ts";
import type { LegacySource } from "./storage/legacy.ts";
import { openOtherService } from "./storage/open.ts";
import { createAdoptionReports } from "./telemetry/adoption-reports.ts";
import type { Logger } from "./telemetry/logger.ts";
import { measuredSource } from "./telemetry/measured-stores.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import type { RoomReports } from "./telemetry/room-reports.ts";
import { createSecurityAlerts } from "./telemetry/security-alerts.ts";
import type { Tracing } from "./telemetry/tracing.ts";

/** What a request needs, of the app that it is for. */
export interface Services extends JoinedInstallation {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** `null` if nothing is traced. */
  readonly tracing: Tracing | null;
  readonly background: Background;
  readonly roomReports: RoomReports;
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
  /** The permits to make large responses. */
  readonly responsePermits: FairSemaphore;
}

/** What all apps of a process share. */
export interface Shared
  extends JoinedInstallation,
    Pick<Services, "clock" | "random" | "log" | "metrics" | "tracing" | "background" | "lifecycle">,
    Pick<
      Services,
      | "clientPseudonym"
      | "roomReports"
      | "uploadBudget"
      | "diskReserve"
      | "responsesInFlight"
      | "responsePermits"
    > {
  readonly stores: Stores;
  readonly keys: readonly ChallengeTokenKey[];
  /** The key set at a URL, the same at each call. */
  readonly jwksAt: (url: string) => Jwks;
  /** Wraps the stores of the other service, for tests. */
  readonly wrapOtherService: ((source: LegacySource) => LegacySource) | undefined;
}

export interface Stores {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
}

export interface AppServices {
  readonly services: Services;
  readonly otherService: AsyncDisposable | null;
}

/** What an app stores begins with its name, so they know nothing of the others. */
export async function servicesOf(config: Config, shared: Shared): Promise<AppServices> {
  const { stores, keys, jwksAt, wrapOtherService, ...common } = shared;
  const { clock, random, log, metrics, background, earliestProofMs } = shared;
  const scope = config.app?.scope ?? null;
  const records = scope === null ? stores.records : recordsOfApp(stores.records, scope);
  const blobs = scope === null ? stores.blobs : blobsOfApp(stores.blobs, scope);
  const requestLimits = createRequestLimits(
    config.rateLimits,
    createRateLimiter({ clock, background, counters: records }),
  );
  const otherService = await otherServiceOf(config.adoption, wrapOtherService, { clock, random });
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

  const testIssuer = config.oidc.testIssuer ? createTestIssuer(clock, random) : null;
  const idTokens = createOidcVerifier(
    config.oidc,
    testIssuer === null ? jwksAt : () => testIssuer.jwks,
    clock,
    earliestProofMs,
  );
  const services = {
    ...common,
    config,
    records,
    blobs,
    challengeTokens: await createChallengeTokens(keys, clock, earliestProofMs, scope),
    idTokens,
    passkeys: createPasskeyVerifier(config.webauthn),
    attestation: createAttestationVerifier(config.attestation, jwksAt, clock),
    testIssuer,
    requestLimits,
    responsesInFlight: responsesOfApp(shared.responsesInFlight, scope),
    backups,
  };
  return { services, otherService: otherService?.source ?? null };
}

/** The large responses of one app: all apps share the disk, and each has its own count for a backup. */
function responsesOfApp(responses: ResponsesInFlight, scope: string | null): ResponsesInFlight {
  return {
    get bytes() {
      return responses.bytes;
    },
    admit: ({ backupId, ...response }) =>
      responses.admit({ ...response, backupId: storedId(scope, backupId) }),
  };
}

/** The stores of the other service, and the issuers that it had; `null` where nothing is adopted. */
async function otherServiceOf(
  adoption: AdoptionConfig | null,
  wrapOtherService: Shared["wrapOtherService"] = (source) => source,
  sources: { readonly clock: Clock; readonly random: Random },
) {
  if (adoption === null) return null;
  return { source: wrapOtherService(await openOtherService(adoption, sources)), issuers: adoption.issuers };
}
