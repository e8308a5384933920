/** The only file outside the drivers' folders that names a driver. */
import type { StorageConfig } from "../config/storage.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { usingDataDir } from "../runtime/start-error.ts";
import type { InspectableStores } from "./inspection.ts";

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
  },
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
