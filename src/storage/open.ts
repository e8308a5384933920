/** The only file outside the drivers' folders that names a driver. */
import type { AdoptionConfig } from "../config/adoption.ts";
import type { StorageConfig } from "../config/storage.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { usingDataDir } from "../runtime/start-error.ts";
import type { InspectableStores } from "./inspection.ts";
import type { LegacySource } from "./legacy.ts";

/** How long calls to stores on other machines may take, where that is not the usual time. */
export interface StorePatience {
  /** One attempt of a call may take so long, and none begins after the budget. */
  readonly retry?: { readonly attemptMs: number; readonly budgetMs: number };
  /** For the permit of a large transfer. */
  readonly maxWaitMs?: number;
}

/**
 * Opens the stores that the configuration names. A driver's code is loaded only when it is used.
 *
 * @param serves whether a service opens them: then a copy of a data folder becomes a data folder, and tables on AWS must
 *   exist.
 */
export async function openStores(
  storage: StorageConfig,
  options: {
    readonly clock: Clock;
    readonly random: Random;
    /** Called with a message for the operator when a store has refused a request because of this machine's clock. */
    readonly onClockSkew?: (message: string) => void;
    /** Called with how long a large transfer waited for others, where a driver limits them. */
    readonly onPermitWait?: (seconds: number) => void;
  } & StorePatience,
  { serves }: { readonly serves: boolean },
): Promise<InspectableStores> {
  switch (storage.driver) {
    case "local": {
      const { openLocalRecords } = await import("./local/records.ts");
      const { openLocalBlobs } = await import("./local/blobs.ts");
      const { dataDir } = storage;
      return usingDataDir(dataDir, async () => ({
        records: await openLocalRecords({ dataDir, ...options, serves }),
        blobs: await openLocalBlobs({ dataDir, ...options }),
      }));
    }
    case "aws": {
      const { openAwsRecords } = await import("./aws/records.ts");
      const { openAwsBlobs } = await import("./aws/blobs.ts");
      return {
        records: await openAwsRecords(storage, { ...options, serves }),
        blobs: await openAwsBlobs(storage, options),
      };
    }
  }
}

/** As long as a request waits for a store, and no longer. */
const READ_THROUGH_RETRY = { budgetMs: 6_000, attemptMs: 4_000, maxPauseMs: 1_000 };

/** Opens the stores of the other service, to read for requests what is not here. */
export async function openOtherService(
  location: AdoptionConfig,
  sources: { readonly clock: Clock; readonly random: Random },
): Promise<LegacySource> {
  const { openLegacySource } = await import("./aws/legacy/source.ts");
  return openLegacySource(location, {
    ...sources,
    callsPerSecond: Number.POSITIVE_INFINITY, // who calls bounds how many there are at a time
    retry: READ_THROUGH_RETRY,
  });
}
