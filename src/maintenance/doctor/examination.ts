/** What one examination works with, and what it has counted so far. */
import { versionIn } from "../../backups/schema-version.ts";
import type { JsonObject } from "../../storage/contract.ts";
import type { Restore } from "../../storage/inspection.ts";
import type { ScannedStores } from "../unreferenced-blobs.ts";
import type { Checkpoint, Interrupted } from "./checkpoint.ts";
import type { RemovableKind } from "./findings.ts";

/** How many index rows or records are examined at a time; each waits for the stores most of the time. */
export const WIDTH = 16;

export interface Examination extends ScannedStores {
  /** Whether to read every ciphertext that is referred to and check its hash. */
  readonly verify: boolean;
  /** Whether to repair what can safely be repaired. */
  readonly repair: boolean;
  /** The kinds of blobs that the operator has named, so that a repair deletes them. */
  readonly remove: ReadonlySet<RemovableKind>;
  /** What the stored ids of the apps that are served begin with; `null`: with nothing. */
  readonly servedScopes: ReadonlySet<string | null>;
  /** When the records were restored from an older copy. */
  readonly restores: readonly Restore[];
  /** Waits longer than a request may take once its body has arrived. Called before ciphertexts are deleted. */
  pause(): Promise<void>;
  /** Resolves when the next index row, record or deleted state may be examined. */
  pace(): Promise<void>;
  /** The examination to go on from; `null` for a whole one. */
  readonly interrupted: Interrupted | null;
  /**
   * Called from time to time, when all up to a place was examined and its findings were taken. The counts are those up to
   * the place. `null`: nothing is noted.
   */
  readonly reached: ((checkpoint: Omit<Checkpoint, "startedAtMs">) => void) | null;
  /** Grows while the examination runs. */
  readonly counts: Counts;
}

/** How much was examined. */
export class Counts {
  indexRows = 0;
  backups = 0;
  /** How many backups and deleted states have metadata of a schema version (backups/schema-version.ts), by that version. */
  readonly metadataVersions: Record<number, number> = {};
  /** Deleted states, of which a backup may have several. */
  deletedBackups = 0;
  /** Ciphertexts in the blob store, referred to or not. */
  blobs = 0;
  /** Ciphertexts that were read in full, and their bytes. */
  verifiedBlobs = 0;
  verifiedBytes = 0;
  /** Backups that changed too often to be checked. */
  busyBackups = 0;
  /** Backups and deleted states of apps that are not served, by what their ids begin with. They are examined like the others. */
  readonly ofUnknownApps = new Map<string | null, number>();
  /** Rows past their expiry. The service collects them from time to time, so they are not a finding. */
  expiredRows = 0;

  /** @param metadata as it is stored. */
  addMetadata(metadata: JsonObject): void {
    const version = versionIn(metadata);
    if (version !== null) this.metadataVersions[version] = (this.metadataVersions[version] ?? 0) + 1;
  }
}
