/**
 * The life of a backup. The only code that changes state, and always in this order: write the new blob, commit the
 * records in one atomic step, delete the old blob. Who may do what is decided here, by the metadata; that a factor is
 * who it says was proven before.
 */
import type { Background } from "../runtime/background.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { BlobStore, RecordStore } from "../storage/contract.ts";
import { createAccess } from "./access.ts";
import { type CounterAlerts, createCommits, type DestructionLimit } from "./commits.ts";
import { contentOperations } from "./content.ts";
import { factorOperations } from "./factors.ts";
import { createReplayReporting } from "./replay.ts";
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

/** Puts the operations together over one way in, one way to commit, and one place where replays are reported. */
export function createBackups(options: BackupsOptions) {
  const access = createAccess(options.records);
  const commits = createCommits({ ...options, access });
  const content = contentOperations({ ...options, access, commits });
  const factors = factorOperations({ ...options, access, commits });
  const replays = createReplayReporting(options.records);
  return {
    reportingReplays: replays.run,
    status: content.status,
    create: replays.of(content.create, ({ nonces, mainFactor, syncFactor }) => [
      ...nonces,
      ...mainFactor.nonces,
      ...syncFactor.nonces,
    ]),
    retrieve: replays.of(content.retrieve, (by) => by.nonces),
    sync: replays.of(content.sync, (by) => by.nonces),
    delete: replays.of(content.delete, (by) => by.nonces),
    reset: replays.of(content.reset, (_backupId, nonces) => nonces),
    verifyFactor: replays.of(factors.verifyFactor, (by) => by.nonces),
    retrieveMetadata: replays.of(factors.retrieveMetadata, (by) => by.nonces),
    findPasskey: replays.of(factors.findPasskey, (_credentialId, nonces) => nonces),
    addMainFactor: replays.of(factors.addMainFactor, (by, added) => [...by.nonces, ...added.nonces]),
    addSyncFactor: replays.of(factors.addSyncFactor, (added) => added.nonces),
    deleteFactor: replays.of(factors.deleteFactor, (by) => by.nonces),
  };
}
