/** Services that adopt backups of the other service, beside its stores. */
import { memoise } from "../../src/runtime/memoise.ts";
import type { LegacySource } from "../../src/storage/legacy.ts";
import type { Driver, TestStorage } from "../drivers.ts";
import { documentedClient } from "./documented-client.ts";
import type { Interceptor } from "./intercepted-stores.ts";
import { type LegacyStores, newLegacyStores } from "./legacy-stores.ts";
import { OidcIssuer } from "./oidc-issuer.ts";
import { startService, type TestService, type TestServiceOptions } from "./service.ts";
import { SettableClock } from "./settable-clock.ts";
import { replaced } from "./store-wrappers.ts";

export interface AdoptionWorld extends AsyncDisposable {
  readonly legacy: LegacyStores;
  readonly issuer: OidcIssuer;
  readonly storage: TestStorage;
  /** Of every service. */
  readonly clock: SettableClock;
  /** Starts a service on the storage, which adopts; it ends with the world, unless it was disposed of before. */
  start(options?: TestServiceOptions): Promise<TestService>;
  /** Calls of the other service's stores so far. */
  readonly calls: string[];
}

/** The same stores, with every call that requests make going through `around`. */
export function interceptedSource(source: LegacySource, around: Interceptor): LegacySource {
  return replaced(source, {
    metadata: (backupId) => around("source.metadata", () => source.metadata(backupId)),
    rows: (factors) => around("source.rows", () => source.rows(factors)),
    ciphertextPieces: (backupId, archiveId) =>
      around("source.ciphertextPieces", () => source.ciphertextPieces(backupId, archiveId)),
  });
}

/** The variables with which a service adopts from these stores. */
export function adoptionEnv({ env, location }: LegacyStores): Readonly<Record<string, string>> {
  return { ...env, ADOPT_FROM_S3_BUCKET: location.bucket, ADOPT_FROM_DYNAMODB_TABLE: location.table };
}

export async function adoptionWorld(driver: Driver): Promise<AdoptionWorld> {
  await using ends = new AsyncDisposableStack();
  const legacy = ends.use(await newLegacyStores());
  const storage = ends.use(await driver.environment());
  const clock = new SettableClock();
  const issuer = ends.use(new OidcIssuer(clock));
  const calls: string[] = [];
  const all = ends.move();
  return {
    legacy,
    issuer,
    storage,
    clock,
    calls,
    async start(options = {}) {
      const { wrapOtherService = (source) => source, ...rest } = options;
      const service = await startService(driver, {
        storage,
        clock,
        ...rest,
        env: { ...adoptionEnv(legacy), ...issuer.env, ...options.env },
        wrapOtherService: (source) =>
          interceptedSource(wrapOtherService(source), (call, run) => {
            calls.push(call);
            return run();
          }),
      });
      const end = memoise(() => service[Symbol.asyncDispose]());
      all.defer(end);
      return { ...service, client: await documentedClient(service.url), [Symbol.asyncDispose]: end };
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
