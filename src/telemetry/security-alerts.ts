import { createHash } from "node:crypto";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Reports what an operator should know about a backup's safety, though the request was accepted. */
export interface SecurityAlerts {
  /** The signature counter of a passkey that may be on several devices went back. */
  signatureCounterWentBack(backupId: string): void;
}

const BACKUP_HASH_DIGITS = 16;

/** The log names a backup by the start of its id's SHA-256, so that the id itself is not in the log. */
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
