/** What counts against which limit. */
import type { RateLimitConfig } from "../config/limits.ts";
import { type ErrorCode, isFailedProof } from "../errors.ts";
import { countedAs } from "../protocol/operations.ts";
import { type RateLimit, type RateLimiter, TooManyRequests } from "./rate-limiter.ts";

export interface RequestLimits {
  /**
   * Counts a request that needs no proof, according to the operation at `path`: a challenge, a status request.
   *
   * @throws TooManyRequests when the address has made too many of them.
   */
  admit(path: string, address: string): void;

  /**
   * Runs a destructive operation whose proof is valid, and counts it for the address if it succeeds. Until then it is
   * reserved, so that those that run at once cannot exceed the limit together.
   *
   * @throws TooManyRequests before `act` is called, when too many have succeeded or run; what `act` throws.
   */
  limitDestruction<T>(address: string, act: () => Promise<T>): Promise<T>;
  /** @throws TooManyRequests when the backup has had too many destructive operations. */
  admitDestruction(backupId: string): void;
  /** Counts a destructive operation of the backup. Failed ones must not be counted: they would lock the owner out. */
  countDestruction(backupId: string): void;

  /** @throws TooManyRequests when versions of the backup were restored too often. */
  admitRestore(backupId: string): void;
  /** Counts a restore that succeeded. */
  countRestore(backupId: string): void;

  /** @throws TooManyRequests unless the address may create a backup of `maxBytes`. Checked before the body is read. */
  admitCreate(address: string, maxBytes: number): void;
  /**
   * Runs a create whose proofs are valid, and counts it with the bytes of its content if it succeeds. Until then
   * `maxBytes` are reserved, so that concurrent creates cannot exceed the limit together.
   *
   * @param arrivedBytes the length of the content, once `act` has succeeded.
   * @throws TooManyRequests as {@link admitCreate}; what `act` throws.
   */
  limitCreate<T>(
    address: string,
    maxBytes: number,
    arrivedBytes: () => number,
    act: () => Promise<T>,
  ): Promise<T>;

  /**
   * Counts a response that reports a failed proof. Over the limit it returns the error to respond with instead, which hides
   * what was wrong, such as whether a passkey is on any backup; otherwise `null`. Every proof is verified, so a valid one
   * passes whatever others behind its address do. The limit need not stop guessing: keys and tokens have 128 bits and more.
   */
  limitFailure(response: {
    readonly address: string;
    /** The backup that the request names, if failures about it count for backup and address together. */
    readonly backupId: string | null;
    readonly code: ErrorCode | null;
  }): TooManyRequests | null;
}

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;

/** @param config `null` for no limits. */
export function createRequestLimits(config: RateLimitConfig | null, limiter: RateLimiter): RequestLimits {
  if (config === null)
    return {
      admit: () => {},
      limitDestruction: (_address, act) => act(),
      admitDestruction: () => {},
      countDestruction: () => {},
      admitRestore: () => {},
      countRestore: () => {},
      admitCreate: () => {},
      limitCreate: (_address, _maxBytes, _arrivedBytes, act) => act(),
      limitFailure: () => null,
    };

  const perMinute = (name: string, max: number): RateLimit => ({ name, max, windowMs: MINUTE_MS });
  const perHour = (name: string, max: number): RateLimit => ({ name, max, windowMs: HOUR_MS });
  const address = {
    challenges: perMinute("address-challenges", config.addressChallengesPerMinute),
    failures: perMinute("address-failures", config.addressFailuresPerMinute),
    destructions: perMinute("address-destructions", config.addressDestructionsPerMinute),
    status: perMinute("address-status", config.addressStatusPerMinute),
    creates: perHour("address-creates", config.addressCreatesPerHour),
    createdBytes: perHour("address-created-bytes", config.addressCreatedBytesPerHour),
  };
  const backup = {
    failures: perHour("backup-failures", config.backupFailuresPerHour),
    destructions: perHour("backup-destructions", config.backupDestructionsPerHour),
    restores: perHour("backup-restores", config.backupRestoresPerHour),
  };

  function use(limit: RateLimit, subject: string): void {
    limiter.check(limit, subject);
    limiter.count(limit, subject);
  }

  /** Counts a failed proof, or returns the error if there were too many already. */
  function countFailure(limit: RateLimit, subject: string): TooManyRequests | null {
    try {
      use(limit, subject);
      return null;
    } catch (error) {
      if (error instanceof TooManyRequests) return error;
      throw error;
    }
  }

  return {
    admit(path, from) {
      const kind = countedAs(path);
      if (kind === "challenge") use(address.challenges, from);
      else if (kind === "status") use(address.status, from);
    },
    async limitDestruction(from, act) {
      using destructions = limiter.reserve(address.destructions, from, 1);
      const result = await act();
      destructions.count(1);
      return result;
    },
    admitDestruction(backupId) {
      limiter.check(backup.destructions, backupId);
    },
    countDestruction(backupId) {
      limiter.count(backup.destructions, backupId);
    },
    admitRestore(backupId) {
      limiter.check(backup.restores, backupId);
    },
    countRestore(backupId) {
      limiter.count(backup.restores, backupId);
    },
    admitCreate(from, maxBytes) {
      limiter.check(address.creates, from);
      limiter.check(address.createdBytes, from, maxBytes);
    },
    async limitCreate(from, maxBytes, arrivedBytes, act) {
      using creates = limiter.reserve(address.creates, from, 1);
      using createdBytes = limiter.reserve(address.createdBytes, from, maxBytes);
      const result = await act();
      creates.count(1);
      createdBytes.count(arrivedBytes());
      return result;
    },
    limitFailure({ address: from, backupId, code }) {
      if (code === null || !isFailedProof(code)) return null;
      // failures of an address over the limit count for no backup: the address could name any number of backups
      const refusal = countFailure(address.failures, from);
      if (refusal !== null || backupId === null) return refusal;
      return countFailure(backup.failures, `${backupId}|${from}`);
    },
  };
}
