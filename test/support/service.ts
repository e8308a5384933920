/** A whole service on a storage of its own, listening on free ports, with a clock that the test moves. */
import { Writable } from "node:stream";
import { type AppOptions, createApp } from "../../src/app.ts";
import { loadConfigs } from "../../src/config/config.ts";
import { type RunningServer, startServer } from "../../src/http/listen.ts";
import { type Random, systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { createServices, type Overrides, type ProcessServices } from "../../src/services.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { Driver, TestStorage } from "../drivers.ts";
import { type ApiClient, createApiClient } from "./api-client.ts";
import { LONG_RETRIES } from "./aws-storage.ts";
import { SettableClock } from "./settable-clock.ts";

export interface TestService extends AsyncDisposable {
  readonly client: ApiClient;
  /** A client behind one trusted proxy that reports this address. */
  clientFrom(address: string): ApiClient;
  readonly url: string;
  readonly clock: SettableClock;
  readonly services: ProcessServices;
  readonly server: RunningServer;
  readonly storage: TestStorage;
  /** The lines logged so far. */
  readonly logged: readonly string[];
}

export interface TestServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly wrapStores?: Overrides["wrapStores"];
  readonly wrapOtherService?: Overrides["wrapOtherService"];
  readonly timeoutMs?: number;
  /** What the time limits of requests are measured with; without `timeoutMs` one that stands still if not given. */
  readonly requestClock?: SettableClock;
  readonly discardLimits?: AppOptions["discardLimits"];
  /** After how long a silent connection is closed. */
  readonly idleTimeoutS?: number;
  /** A storage that others use too; it is not removed with the service. */
  readonly storage?: TestStorage;
  readonly clock?: SettableClock;
  /** The system's if not given. */
  readonly random?: Random;
  /** A busy machine has time for the stores if not given. */
  readonly patience?: Overrides["patience"];
}

export async function startService(driver: Driver, options: TestServiceOptions = {}): Promise<TestService> {
  const storage = options.storage ?? (await driver.environment());
  const clock = options.clock ?? new SettableClock();
  const logged: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  const configs = loadConfigs({
    APP_ENV: "staging",
    HOST: "127.0.0.1",
    PORT: "0",
    METRICS_PORT: "0",
    CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
    WEBAUTHN_RP_ID: "localhost",
    WEBAUTHN_ORIGINS: "http://localhost:8000,android:apk-key-hash:dGVzdA",
    ATTESTATION: "off",
    TRUSTED_PROXY_HOPS: "0",
    RATE_LIMITS: "false", // their windows never end while the clock stands still
    ...storage.env,
    ...options.env,
  });
  const services = await createServices(configs, {
    clock,
    random: options.random ?? systemRandom,
    patience: options.patience ?? { retry: LONG_RETRIES, maxWaitMs: LONG_RETRIES.budgetMs },
    log: await createLogger({ level: "info", format: "json", destination }),
    wrapStores(opened) {
      const planted = storage.wrapStores?.(opened) ?? opened;
      return options.wrapStores?.(planted) ?? planted;
    },
    ...(options.wrapOtherService === undefined ? {} : { wrapOtherService: options.wrapOtherService }),
  });
  const { timeoutMs, discardLimits } = options;
  const requestClock = options.requestClock ?? (timeoutMs === undefined ? new SettableClock() : systemClock);
  const app = createApp(services, {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    clock: requestClock,
    ...(discardLimits === undefined ? {} : { discardLimits }),
  });
  const server = startServer(services, app, options.idleTimeoutS);
  return {
    client: createApiClient({ url: server.url }),
    clientFrom: (address) => createApiClient({ url: server.url, headers: { "x-forwarded-for": address } }),
    url: server.url,
    clock,
    services,
    server,
    storage,
    logged,
    async [Symbol.asyncDispose]() {
      await server.stop(1_000);
      await services[Symbol.asyncDispose]();
      if (options.storage === undefined) await storage[Symbol.asyncDispose]();
    },
  };
}

export const TEST_CHALLENGE_TOKEN_KEYS = `test:${Buffer.alloc(32, 7).toString("base64")}`;
