import type { Clock } from "../runtime/clock.ts";
import type { Metrics } from "./metrics.ts";

/** Measures what sweep and collection do. */
export interface MaintenanceReports {
  /** Runs a task, and reports its success. @returns its result. */
  run<T extends MaintenanceResult | null>(task: MaintenanceTask, work: () => Promise<T>): Promise<T>;
  /** What the stores have; ciphertext in bytes. */
  counted(stored: {
    readonly backups: number;
    readonly contentBytes: number;
    readonly versionBytes: number;
    readonly deletedBackups: number;
    readonly deletedBytes: number;
  }): void;
}

/** `sweep`: of the embedded driver. `collection`: of AWS. */
export type MaintenanceTask = "sweep" | "collection";

interface MaintenanceResult {
  readonly expiredRows: number;
  readonly collected: number;
  readonly unreferencedBlobs?: number;
  readonly leftAlone?: number;
  /** How many there are, where the store knows it without counting. */
  readonly backups?: number | null;
  /** Why unreferenced blobs were left alone. */
  readonly refusal?: string | null;
}

export function createMaintenanceReports(metrics: Metrics, clock: Clock): MaintenanceReports {
  return {
    async run(task, work) {
      const startedMs = clock.elapsedMs();
      const result = await work();
      if (result === null) return result; // another process does it, and reports it
      metrics.maintenanceSuccess.set({ task }, clock.nowMs() / 1000);
      metrics.maintenanceDuration.set({ task }, (clock.elapsedMs() - startedMs) / 1000);
      const { expiredRows, collected, unreferencedBlobs = 0, leftAlone = 0, refusal = null } = result;
      metrics.maintenanceRemoved.inc({ what: "expired_rows" }, expiredRows);
      metrics.maintenanceRemoved.inc({ what: "leftovers" }, collected);
      metrics.maintenanceRemoved.inc(
        { what: "unreferenced_blobs" },
        refusal === null ? unreferencedBlobs : 0,
      );
      metrics.blobsLeftAlone.set(refusal === null ? leftAlone : leftAlone + unreferencedBlobs);
      if (typeof result.backups === "number") metrics.storedBackups.set({ state: "current" }, result.backups);
      return result;
    },
    counted({ backups, contentBytes, versionBytes, deletedBackups, deletedBytes }) {
      metrics.storedBackups.set({ state: "current" }, backups);
      metrics.storedBackups.set({ state: "deleted" }, deletedBackups);
      metrics.storedBytes.set({ of: "contents" }, contentBytes);
      metrics.storedBytes.set({ of: "versions" }, versionBytes);
      metrics.storedBytes.set({ of: "deleted" }, deletedBytes);
    },
  };
}
