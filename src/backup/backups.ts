/**
 * The life of a backup. The only code that changes state, and always in this order: write the new blob, commit the
 * records in one atomic step, delete the old blob. Who may do what is decided here, by the metadata; that a factor is
 * who it says was proven before.
 */
import type { Background } from "../background.ts";
import type { Clock, Random } from "../clock.ts";
import type { BlobStore, RecordStore } from "../storage/contract.ts";
import { createAccess } from "./access.ts";
import { type CounterAlerts, createCommits, type DestructionLimit } from "./commits.ts";
import { contentOperations } from "./content.ts";
import { factorOperations } from "./factors.ts";
import type { FactorLimits } from "./rules.ts";

export interface BackupsOptions {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly background: Background;
  readonly limits: FactorLimits;
  readonly destructions: DestructionLimit;
  readonly alerts: CounterAlerts;
}

export type Backups = ReturnType<typeof createBackups>;

/** Puts the operations together over one way in and one way to commit. */
export function createBackups(options: BackupsOptions) {
  const access = createAccess(options.records);
  const commits = createCommits({ ...options, access });
  return {
    unlessReplayed: access.unlessReplayed,
    ...contentOperations({ ...options, access, commits }),
    ...factorOperations({ ...options, access, commits }),
  };
}
