/**
 * The published keys of a token issuer (RFC 7517 §5), cached.
 *
 * jose's remote key set does not fit: it reads the system's clock, drops valid keys as soon as they are stale, and
 * during an outage asks again for every unknown `kid`.
 */
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from "jose";
import { ServiceError } from "../errors.ts";
import { type Clock, type Instant, instantOf, msSince } from "../runtime/clock.ts";
import { inSpan } from "../runtime/span.ts";

/** Keys are used for this long after they were fetched, also through an outage of the issuer. */
const MAX_AGE_MS = 60 * 60 * 1000;
/** Keys older than this are refreshed in the background. */
const FRESH_FOR_MS = 60 * 1000;
/** Any client can send an unknown `kid`, so these cause a fetch only this often. */
const UNKNOWN_KID_PAUSE_MS = 30 * 1000;
/** How long after a failed background refresh the next one may start. */
const FAILURE_PAUSE_MS = 5 * 1000;
const DEFAULT_TIMEOUT_MS = 5 * 1000;

export interface Jwks {
  /**
   * The key that a protected header names by `kid` and `alg`; fits the key parameter of jose's verifiers.
   *
   * @throws errors.JWKSNoMatchingKey when the issuer has no such key; errors.JOSENotSupported for another kind of `alg`.
   * @throws ServiceError `service_unavailable` when the issuer's keys cannot be fetched, or that key cannot be used.
   */
  readonly key: (header: JWSHeaderParameters) => Promise<CryptoKey>;
}

export interface JwksOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Runs background refreshes and reports failures. */
  readonly background: { run(name: string, work: () => Promise<unknown>): Promise<void> };
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** How long one fetch may take, in milliseconds; 5 s if not given. */
  readonly timeoutMs?: number;
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

export function createJwks({
  url,
  clock,
  background,
  fetch = globalThis.fetch,
  timeoutMs = DEFAULT_TIMEOUT_MS,
}: JwksOptions): Jwks {
  let cached: { readonly keys: KeySet; readonly fetchedAt: Instant } | null = null;
  let running: Promise<KeySet> | null = null;
  let failure: { readonly error: unknown; readonly at: Instant } | null = null;
  let unknownKidAt: Instant | null = null;

  /** Milliseconds; `Infinity` for `null`. */
  function since(then: Instant | null): number {
    return then === null ? Number.POSITIVE_INFINITY : msSince(then, clock);
  }

  /** Fetches the keys. Calls during a fetch share it. */
  function refresh(): Promise<KeySet> {
    running ??= fetchAndKeep().finally(() => {
      running = null;
    });
    return running;
  }

  async function fetchAndKeep(): Promise<KeySet> {
    try {
      const keys = await inSpan("GET key set", "client", (span) => {
        span?.set({ "server.address": URL.parse(url)?.host ?? "" });
        return fetchKeys(url, fetch, timeoutMs);
      });
      cached = { keys, fetchedAt: instantOf(clock) };
      failure = null;
      return keys;
    } catch (error) {
      failure = { error, at: instantOf(clock) };
      throw unavailable(url, error);
    }
  }

  function refreshInBackground(): void {
    if (running !== null || (failure !== null && since(failure.at) < FAILURE_PAUSE_MS)) return;
    void background.run("jwks-refresh", refresh);
  }

  /** The keys, and whether this call fetched them. */
  async function currentKeys(): Promise<{ readonly keys: KeySet; readonly fetched: boolean }> {
    const ageMs = since(cached?.fetchedAt ?? null);
    if (cached === null || ageMs >= MAX_AGE_MS) return { keys: await refresh(), fetched: true };
    if (ageMs >= FRESH_FOR_MS) refreshInBackground();
    return { keys: cached.keys, fetched: false };
  }

  /** The keys, fetched again in case the issuer has a new one. */
  async function keysForUnknownKid(known: KeySet): Promise<KeySet> {
    if (running === null && since(unknownKidAt) < UNKNOWN_KID_PAUSE_MS) {
      if (failure !== null) throw unavailable(url, failure.error);
      return known;
    }
    unknownKidAt = instantOf(clock);
    return refresh();
  }

  return {
    async key(header) {
      if (typeof header.kid !== "string") throw new errors.JWKSNoMatchingKey("the token names no key");
      const { keys, fetched } = await currentKeys();
      try {
        return await keyIn(keys, header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || fetched) throw error;
        return keyIn(await keysForUnknownKid(keys), header);
      }
    },
  };

  /** A published key that cannot be used is a failure of the issuer, and no failed proof of the client. */
  async function keyIn(keys: KeySet, header: JWSHeaderParameters): Promise<CryptoKey> {
    try {
      return await keys(header);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JOSENotSupported) throw error;
      throw unavailable(url, error);
    }
  }
}

async function fetchKeys(
  url: string,
  fetch: NonNullable<JwksOptions["fetch"]>,
  timeoutMs: number,
): Promise<KeySet> {
  const response = await fetch(url, {
    headers: { accept: "application/json, application/jwk-set+json" },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the response has status ${response.status}`);
  }
  const body: JSONWebKeySet = JSON.parse(await response.text()); // the library refuses what is not one
  return createLocalJWKSet(body);
}

function unavailable(url: string, cause: unknown): ServiceError {
  const host = URL.parse(url)?.host ?? "the issuer";
  return new ServiceError("service_unavailable", `The keys of ${host} cannot be fetched at the moment`, {
    cause,
  });
}
