import type { Background } from "../runtime/background.ts";
import { type Clock, type Instant, instantOf, type Random } from "../runtime/clock.ts";
import { memoise } from "../runtime/memoise.ts";
import { NewerFormat, StorageUnavailable } from "../storage/contract.ts";
import type { InspectableStores, Restore } from "../storage/inspection.ts";
import { InstallationMismatch, joinInstallation, markInService } from "./installation.ts";

/** The installation that the stores of a service belong to. */
export interface JoinedInstallation {
  /**
   * When the records were restored from an older copy, once records and blobs are known to be of one installation.
   *
   * @throws StorageUnavailable when that is not known yet; InstallationMismatch.
   */
  restores(): Promise<readonly Restore[]>;
  /**
   * Proofs from before this time are refused: they may have been used without a trace in the records that were restored.
   *
   * @throws as {@link restores}.
   */
  earliestProofMs(): Promise<number>;
  /**
   * Remembers in the stores that they are in service, unless they may be of different installations. Called at intervals,
   * so that restored records are recognised.
   */
  markInService(): Promise<void>;
}

export interface JoiningOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly background: Background;
  /** Called when a store does not respond. Each call that needs the installation then tries to join it. */
  readonly onUnavailable: (error: StorageUnavailable) => void;
}

/**
 * Joins the installation of the stores for a service that starts now.
 *
 * @throws InstallationMismatch; NewerFormat.
 */
export async function joinForService(
  stores: InspectableStores,
  { clock, random, background, onUnavailable }: JoiningOptions,
): Promise<JoinedInstallation> {
  const startedAt = instantOf(clock);
  // in the background: where nothing can be written, as on a full disk, recoveries still work
  const mark = () => background.run("mark the stores as in service", () => markInService(stores, clock));
  const restores = memoise(async () => {
    await joinInstallation(stores, { clock, random });
    await mark();
    return stores.records.restores();
  });
  await restores().catch((error: unknown) => {
    if (!(error instanceof StorageUnavailable)) throw error;
    if (error instanceof InstallationMismatch || error instanceof NewerFormat) throw error;
    onUnavailable(error);
  });
  return {
    restores,
    earliestProofMs: async () => lastRestoreMs(await restores(), startedAt, clock),
    async markInService() {
      const [joined] = await Promise.allSettled([restores()]);
      if (joined.status === "fulfilled") await mark();
    },
  };
}

/**
 * A restore that seems later than the start was noted at the start, or by a clock that was ahead. Then the time of the
 * start is computed from the current clock: a clock that was wrong at the restore must neither let used proofs pass nor
 * stop the service.
 */
function lastRestoreMs(restores: readonly Restore[], startedAt: Instant, clock: Clock): number {
  const lastMs = Math.max(0, ...restores.map(({ restoredAtMs }) => restoredAtMs));
  return lastMs < startedAt.nowMs ? lastMs : clock.nowMs() - (clock.elapsedMs() - startedAt.elapsedMs);
}
