/**
 * What counts against which limit: challenges, failed proofs, destructive operations, creates and status requests of an
 * address, and what is done to a backup.
 */

import type { RateLimitConfig } from "../config/limits.ts";
import { type ErrorCode, isFailedProof } from "../errors.ts";
import { countedAs } from "../protocol/operations.ts";
import { type RateLimit, type RateLimiter, TooManyRequests } from "./rate-limiter.ts";

export interface RequestLimits {
  /**
   * Counts a request of a kind that anybody can make, as the operation at `path` says: a challenge, a status request.
   *
   * @throws TooManyRequests when the address has made too many of them.
   */
  admit(path: string, address: string): void;

  /**
   * Runs a destructive operation whose proof is good, and counts it for the address if it succeeds: bad attempts of
   * others behind the same address do not count.
   *
   * @throws TooManyRequests before `act` is called, when too many have succeeded; what `act` throws.
   */
  limitDestruction<T>(address: string, act: () => Promise<T>): Promise<T>;
  /** @throws TooManyRequests when too much was taken away from the backup. */
  admitDestruction(backupId: string): void;
  /** Counts that something was taken away from the backup. Mere attempts do not count: they would lock its owner out. */
  countDestruction(backupId: string): void;

  /**
   * Checks, before the body is read, that the address may create a backup of `maxBytes`.
   *
   * @throws TooManyRequests when it has created too many backups or bytes.
   */
  admitCreate(address: string, maxBytes: number): void;
  /**
   * Runs a create whose proofs are good, and counts it with the bytes of its content if it succeeds. Until then
   * `maxBytes` are reserved, so that concurrent creates cannot exceed the limit together; a failure releases them.
   *
   * @param arrivedBytes how many bytes the content has, once `act` has succeeded.
   * @throws TooManyRequests as {@link admitCreate}; what `act` throws.
   */
  limitCreate<T>(
    address: string,
    maxBytes: number,
    arrivedBytes: () => number,
    act: () => Promise<T>,
  ): Promise<T>;

  /**
   * Counts an answer that says that a proof failed. Over the limit the result is the error to answer with in its place,
   * otherwise `null`. Every proof is verified, so a good one passes whatever others behind its address do.
   *
   * A guesser learns less from that than below the limit: a bad proof still fails and a good one still acts, but the code
   * no longer says what was wrong, such as whether a passkey is on any backup. The limit does not have to stop guessing
   * itself: keys and tokens have 128 bits and more.
   */
  settle(answered: {
    readonly address: string;
    /** The backup that the request names, if failures about it count for backup and address together. */
    readonly backupId: string | null;
    readonly code: ErrorCode | null;
  }): TooManyRequests | null;
}

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;

/** Without a configuration nothing is limited. */
export function createRequestLimits(config: RateLimitConfig | null, limiter: RateLimiter): RequestLimits {
  if (config === null)
    return {
      admit: () => {},
      limitDestruction: (_address, act) => act(),
      admitDestruction: () => {},
      countDestruction: () => {},
      admitCreate: () => {},
      limitCreate: (_address, _maxBytes, _arrivedBytes, act) => act(),
      settle: () => null,
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
  };

  function use(limit: RateLimit, subject: string): void {
    limiter.check(limit, subject);
    limiter.count(limit, subject);
  }

  /** Counts a failed proof, or says that there were too many already. */
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
      limiter.check(address.destructions, from);
      const result = await act();
      limiter.count(address.destructions, from);
      return result;
    },
    admitDestruction(backupId) {
      limiter.check(backup.destructions, backupId);
    },
    countDestruction(backupId) {
      limiter.count(backup.destructions, backupId);
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
    settle({ address: from, backupId, code }) {
      if (code === null || !isFailedProof(code)) return null;
      // an address that has used up its own limit counts for no more backups: it could name any number of them
      const refusal = countFailure(address.failures, from);
      if (refusal !== null || backupId === null) return refusal;
      return countFailure(backup.failures, `${backupId}|${from}`);
    },
  };
}
