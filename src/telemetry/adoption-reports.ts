import { loggedBackup } from "./logged-backup.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Reports what becomes of the backups that requests take over from the other service. */
export interface AdoptionReports {
  adopted(backupId: string, lost: number): void;
  failed(backupId: string, error: unknown): void;
}

export function createAdoptionReports(
  log: Pick<Logger, "info" | "warn" | "error">,
  metrics: Pick<Metrics, "adoptions">,
): AdoptionReports {
  return {
    adopted(backupId, lost) {
      metrics.adoptions.inc({ outcome: "adopted" });
      const backup = loggedBackup(backupId);
      if (lost === 0) log.info({ backup }, "a backup was moved in");
      else
        log.warn(
          { backup, lost },
          "a backup was moved in, and some of its factors are on other backups here",
        );
    },
    failed(backupId, err) {
      metrics.adoptions.inc({ outcome: "failed" });
      log.error({ backup: loggedBackup(backupId), err }, "a backup could not be moved in");
    },
  };
}
