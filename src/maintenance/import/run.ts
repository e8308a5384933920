/** What an import works with, and what it has done so far. */
import type { LegacyReading } from "../../backups/legacy/read-backup.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import type { BlobStore, FactorRef, RecordStore } from "../../storage/contract.ts";
import type { RecordInspection } from "../../storage/inspection.ts";
import type { LegacySource } from "../../storage/legacy.ts";
import { shownFactor } from "../doctor/findings.ts";

/** What is wrong with a backup of the source, in words that have nothing of its content. */
export interface ImportFinding {
  readonly backupId: string;
  readonly problem: string;
}

/** How many backups of the source were dealt with. */
export interface ImportCounts {
  /** Seen so far, whatever became of them. */
  seen: number;
  /** Taken over by this run, for the first time or again; those that it would take over where nothing is written. */
  imported: number;
  /** Taken over before, whether or not they have changed here or were deleted here since. */
  alreadyThere: number;
  /** Bytes of the ciphertexts that were read. */
  bytes: number;
}

export function newImportCounts(): ImportCounts {
  return { seen: 0, imported: 0, alreadyThere: 0, bytes: 0 };
}

/** Where backups are taken over to. */
export interface ImportStores {
  readonly records: RecordStore & Pick<RecordInspection, "list">;
  readonly blobs: BlobStore;
}

export interface ImportRun extends LegacyReading {
  readonly source: LegacySource;
  /** `null` where there is nothing yet, for a run that writes nothing. */
  readonly stores: ImportStores | null;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Backups that were taken over before are not read again where their metadata in the source are older; milliseconds since
   * the epoch. `null`: all are read.
   */
  readonly since: number | null;
  /** Whether to write nothing. */
  readonly dryRun: boolean;
  readonly counts: ImportCounts;
}

/** A factor in a finding: a hash, which can be compared with a known factor and does not reveal an unknown one. */
export function named(factor: FactorRef): string {
  const { scope, kind, keyHash } = shownFactor(factor);
  return `the ${scope} factor ${kind} ${keyHash}`;
}
