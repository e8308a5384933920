/** The services of one app, made of what all apps of the process share. */
import { adoptingRecords } from "./backups/adoption/adopting-records.ts";
import { createAdoption } from "./backups/adoption/adoption.ts";
import { createBackups } from "./backups/create-backups.ts";
import type { AdoptionConfig } from "./config/adoption.ts";
import type { Config } from "./config/config.ts";
import { createRateLimiter } from "./limits/rate-limiter.ts";
import { createRequestLimits } from "./limits/request-limits.ts";
import type { ResponsesInFlight } from "./limits/responses-in-flight.ts";
import { createAttestationVerifier } from "./proofs/app-attestation/verifier.ts";
import { createChallengeTokens } from "./proofs/challenge-tokens.ts";
import { createOidcVerifier } from "./proofs/identity/oidc.ts";
import { createTestIssuer } from "./proofs/identity/test-issuer.ts";
import { createPasskeyVerifier } from "./proofs/passkey/passkey.ts";
import type { Clock, Random } from "./runtime/clock.ts";
import type { Overrides, Services, Shared } from "./services.ts";
import { blobsOfApp, recordsOfApp, storedId } from "./storage/app-scope.ts";
import { openOtherService } from "./storage/open.ts";
import { createAdoptionReports } from "./telemetry/adoption-reports.ts";
import { measuredSource } from "./telemetry/measured-stores.ts";
import { createSecurityAlerts } from "./telemetry/security-alerts.ts";

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
  wrapOtherService: Overrides["wrapOtherService"] = (source) => source,
  sources: { readonly clock: Clock; readonly random: Random },
) {
  if (adoption === null) return null;
  return { source: wrapOtherService(await openOtherService(adoption, sources)), issuers: adoption.issuers };
}
