/** What counts against which limit: challenges, failed proofs and destructive operations, by address and by backup. */
import type { RateLimitConfig } from "../config.ts";
import type { ErrorCode } from "../errors.ts";
import type { RateLimit, RateLimiter } from "./rate-limiter.ts";

export interface RequestLimits {
  /** @throws TooManyRequests when the address may not make a request of this kind now. */
  admit(path: string, address: string): void;
  /**
   * Counts a challenge about a backup. Anybody can ask for one, so it counts for the backup and the address together:
   * nobody can use up the owner's share.
   *
   * @throws TooManyRequests
   */
  challengeBackup(backupId: string, address: string): void;
  /** @throws TooManyRequests when too many proofs for the backup have failed from the address. */
  admitProof(backupId: string, address: string): void;
  /** @throws TooManyRequests when too much was taken away from the backup. */
  admitDestruction(backupId: string): void;
  /** Counts that something was taken away from the backup. Mere attempts do not count: they would lock its owner out. */
  countDestruction(backupId: string): void;
  /** Counts a request that was answered, by the error it was answered with. */
  settle(answered: {
    readonly address: string;
    readonly backupId: string | null;
    readonly code: ErrorCode | null;
  }): void;
}

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;

const DESTRUCTIVE_PATHS: ReadonlySet<string> = new Set([
  "/v1/delete-factor",
  "/v1/delete-backup",
  "/v1/reset",
]);

/** Answers to a proof that did not hold. Whoever gets many of these is guessing. */
const FAILED_PROOFS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "jwt_error",
  "unexpected_challenge_type",
  "invalid_challenge_context",
  "signature_verification_error",
  "invalid_signature",
  "webauthn_error",
  "oidc_token_verification_error",
  "oidc_token_invalid_nonce",
  "turnkey_activity_error",
  "invalid_attestation_token",
  "invalid_attestation_token_claim",
  "token_not_found",
  "backup_untraceable",
  "unauthorized_factor",
  "already_used",
]);

/** Without a configuration nothing is limited. */
export function createRequestLimits(config: RateLimitConfig | null, limiter: RateLimiter): RequestLimits {
  if (config === null)
    return {
      admit: () => {},
      challengeBackup: () => {},
      admitProof: () => {},
      admitDestruction: () => {},
      countDestruction: () => {},
      settle: () => {},
    };

  const perMinute = (name: string, max: number): RateLimit => ({ name, max, windowMs: MINUTE_MS });
  const perHour = (name: string, max: number): RateLimit => ({ name, max, windowMs: HOUR_MS });
  const address = {
    challenges: perMinute("address-challenges", config.addressChallengesPerMinute),
    failures: perMinute("address-failures", config.addressFailuresPerMinute),
    destructions: perMinute("address-destructions", config.addressDestructionsPerMinute),
  };
  const backup = {
    challenges: perHour("backup-challenges", config.backupChallengesPerHour),
    failures: perHour("backup-failures", config.backupFailuresPerHour),
    destructions: perHour("backup-destructions", config.backupDestructionsPerHour),
  };

  function use(limit: RateLimit, subject: string): void {
    limiter.check(limit, subject);
    limiter.count(limit, subject);
  }

  return {
    admit(path, from) {
      if (isChallenge(path)) use(address.challenges, from);
      else if (path.startsWith("/v1/")) limiter.check(address.failures, from);
      if (DESTRUCTIVE_PATHS.has(path)) use(address.destructions, from);
    },
    challengeBackup(backupId, from) {
      use(backup.challenges, both(backupId, from));
    },
    admitProof(backupId, from) {
      limiter.check(backup.failures, both(backupId, from));
    },
    admitDestruction(backupId) {
      limiter.check(backup.destructions, backupId);
    },
    countDestruction(backupId) {
      limiter.count(backup.destructions, backupId);
    },
    settle({ address: from, backupId, code }) {
      if (code === null || !FAILED_PROOFS.has(code)) return;
      limiter.count(address.failures, from);
      if (backupId !== null) limiter.count(backup.failures, both(backupId, from));
    },
  };
}

function both(backupId: string, from: string): string {
  return `${backupId}|${from}`;
}

function isChallenge(path: string): boolean {
  return /^\/v1\/[a-z-]+\/challenge(\/|$)/.test(path);
}
