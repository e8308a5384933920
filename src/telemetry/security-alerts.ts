import { createHash } from "node:crypto";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Reports suspicious requests that were accepted. */
export interface SecurityAlerts {
  /** The signature counter of a synchronised passkey went back (WebAuthn L3 §6.1.1). */
  signatureCounterWentBack(backupId: string): void;
}

const BACKUP_HASH_DIGITS = 16;

/** The log names a backup by a prefix of its id's SHA-256, so that the id itself is not logged. */
export function createSecurityAlerts(
  log: Pick<Logger, "warn">,
  metrics: Pick<Metrics, "signatureCountersBack">,
): SecurityAlerts {
  return {
    signatureCounterWentBack(backupId) {
      metrics.signatureCountersBack.inc();
      const backup = createHash("sha256").update(backupId).digest("hex").slice(0, BACKUP_HASH_DIGITS);
      log.warn({ backup }, "the signature counter of a synchronised passkey went back");
    },
  };
}
