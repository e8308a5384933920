/** A driver whose stores have a fault, in this process and in those that it starts. */
import { join } from "node:path";
import type { Driver, TestStorage } from "../drivers.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";
import { PLANTED, type PlantedFault } from "./planted-stores.ts";

/** Variables with which a program of this repository has the fault. */
export function plantedEnv(fault: PlantedFault | "syncs no commit"): Readonly<Record<string, string>> {
  const preload = `--preload=${join(import.meta.dir, "preload.ts")}`;
  return { BUN_OPTIONS: `${CLEAN_ENVIRONMENT.BUN_OPTIONS} ${preload}`, PLANTED_FAULT: fault };
}

export function plantedDriver(driver: Driver, fault: PlantedFault): Driver {
  const plant = PLANTED[fault];
  const planted = (storage: TestStorage): TestStorage => ({
    ...storage,
    env: { ...storage.env, ...plantedEnv(fault) },
    wrapStores: plant,
    open: async (options) => plant(await storage.open(options)),
  });
  return {
    ...driver,
    environment: async () => planted(await driver.environment()),
    openStores: async (options) => plant(await driver.openStores(options)),
  };
}
