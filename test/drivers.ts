/**
 * The storage drivers that tests run on: `for (const driver of DRIVERS) describe(driver.name, …)`.
 *
 * `TEST_DRIVERS` chooses some of them (default: `local,aws`). A driver that is asked for and cannot be reached
 * fails its tests; it is never skipped. The aws driver runs against endpoints that the tests start, or against those
 * that `TEST_S3_ENDPOINT` and `TEST_DYNAMODB_ENDPOINT` name.
 */
import type { Clock, Random } from "../src/runtime/clock.ts";
import type { Overrides } from "../src/services.ts";
import type { InspectableStores } from "../src/storage/inspection.ts";
import { newAwsStorage } from "./support/aws-storage.ts";
import { newLocalStorage } from "./support/local-storage.ts";

export interface StoreOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** A pair of stores; disposing of it closes both, and removes the storage where the pair is its only user. */
export interface Stores extends InspectableStores, AsyncDisposable {}

/** A place where backups are kept: empty at first, nobody else's, removed when disposed of. */
export interface TestStorage extends AsyncDisposable {
  /** The variables with which `loadConfig` leads a service, in this process or another, to this storage. */
  readonly env: Readonly<Record<string, string>>;
  /** A fault in the stores of the services that the tests start on it. */
  readonly wrapStores?: Overrides["wrapStores"];
  /** Opens a pair of stores on it; any number may be open at once. */
  open(options: StoreOptions): Promise<Stores>;
  /** Writes other bytes over a stored ciphertext, past the driver. */
  overwriteBlob(key: string, content: Uint8Array): Promise<void>;
}

export interface Driver {
  readonly name: DriverName;
  /** A fresh storage. */
  environment(): Promise<TestStorage>;
  /** A pair of stores on a fresh storage that goes with them. */
  openStores(options: StoreOptions): Promise<Stores>;
}

const STORAGES = { local: newLocalStorage, aws: newAwsStorage };

export type DriverName = keyof typeof STORAGES;

export const DRIVERS: readonly Driver[] = chosen(process.env.TEST_DRIVERS ?? "local,aws");

function chosen(names: string): Driver[] {
  return names.split(",").map((entry) => {
    const name = entry.trim();
    if (!isDriverName(name))
      throw new Error(`TEST_DRIVERS: unknown driver "${name}"; known: ${Object.keys(STORAGES).join(", ")}`);
    return driver(name, STORAGES[name]);
  });
}

function isDriverName(name: string): name is DriverName {
  return Object.hasOwn(STORAGES, name);
}

function driver(name: DriverName, environment: () => Promise<TestStorage>): Driver {
  return {
    name,
    environment,
    async openStores(options) {
      const storage = await environment();
      const stores = await storage.open(options);
      return {
        records: stores.records,
        blobs: stores.blobs,
        async [Symbol.asyncDispose]() {
          await stores[Symbol.asyncDispose]();
          await storage[Symbol.asyncDispose]();
        },
      };
    },
  };
}
