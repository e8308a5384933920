import { loggedBackup } from "./logged-backup.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Reports suspicious requests that were accepted. */
export interface SecurityAlerts {
  /** The signature counter of a synchronised passkey went back (WebAuthn L3 §6.1.1). */
  signatureCounterWentBack(backupId: string): void;
}

export function createSecurityAlerts(
  log: Pick<Logger, "warn">,
  metrics: Pick<Metrics, "signatureCountersBack">,
): SecurityAlerts {
  return {
    signatureCounterWentBack(backupId) {
      metrics.signatureCountersBack.inc();
      log.warn(
        { backup: loggedBackup(backupId) },
        "the signature counter of a synchronised passkey went back",
      );
    },
  };
}
