/** Stores in the process of a service that fail now and then, for the driver that has nothing between it and its stores. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Stores } from "../../src/services.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { disturbed } from "../support/store-wrappers.ts";

/** As a proxy in front of a store: a call is lost, its result is lost, or it is late. */
const FAULTS = ["lost call", "lost result", "delay"] as const;
const PERCENT_OF_EACH = 2;
const DELAY_MS = 150;

/** Starts and ends the faults of a service. */
export interface StoreFaults {
  /** The variables with which the service has them. */
  readonly env: Readonly<Record<string, string>>;
  disturb(): Promise<void>;
  calm(): Promise<void>;
}

/** @param folder where the service sees whether there are faults. */
export function faultsIn(folder: string): StoreFaults {
  const file = join(folder, "faults");
  const preload = `--preload=${join(import.meta.dir, "faulty-stores-preload.ts")}`;
  return {
    env: { BUN_OPTIONS: `${CLEAN_ENVIRONMENT.BUN_OPTIONS} ${preload}`, STORE_FAULTS_FILE: file },
    disturb: async () => void (await Bun.write(file, "")),
    calm: () => rm(file),
  };
}

/** In the service: faults while the file of `STORE_FAULTS_FILE` exists. */
export function withFaults<T extends Stores>(stores: T): T {
  const { STORE_FAULTS_FILE = "" } = process.env;
  const nextFault = () => {
    const chance = Math.floor((Math.random() * 100) / PERCENT_OF_EACH);
    return existsSync(STORE_FAULTS_FILE) ? (FAULTS[chance] ?? null) : null;
  };
  return {
    ...stores,
    records: faulty(stores.records, nextFault),
    blobs: faulty(stores.blobs, nextFault),
  };
}

export type StoreFault = (typeof FAULTS)[number];

export function faulty<T extends object>(store: T, nextFault: () => StoreFault | null): T {
  return disturbed(store, async (run) => {
    const fault = nextFault();
    if (fault === "lost call") throw new StorageUnavailable(`a fault of the test: ${fault}`);
    if (fault === "delay") await Bun.sleep(DELAY_MS);
    const result = await run();
    if (fault !== "lost result") return result;
    await cancelContent(result);
    throw new StorageUnavailable(`a fault of the test: ${fault}`);
  });
}

/** A content that nobody gets would stay open. */
async function cancelContent(result: unknown): Promise<void> {
  if (typeof result !== "object" || result === null || !("cancel" in result)) return;
  if (typeof result.cancel === "function") await result.cancel();
}
