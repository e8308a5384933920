/**
 * The collection of stores that processes on many machines share: one of them does it. What it deletes is what
 * leftovers.ts says, and rows that have expired; blobs that nothing refers to are for the doctor.
 */
import type { Clock, Random } from "../runtime/clock.ts";
import type { InspectableStores } from "../storage/inspection.ts";
import { collectLeftovers } from "./leftovers.ts";

export interface LeasedCollection {
  /** How many rows of leftovers were collected. */
  readonly collected: number;
  readonly expiredRows: number;
  /** How many backups there are, where the store knows it without counting. */
  readonly backups: number | null;
}

/** The interval of the calls. Where the process with the lease ends, another has it after twice as long. */
export const COLLECT_EVERY_MS = 5 * 60 * 1000;
const LEASED_FOR_MS = 2 * COLLECT_EVERY_MS;

/**
 * Makes a function to be called every {@link COLLECT_EVERY_MS}. It returns `null` where another process collects. A
 * collection that takes longer than its lease does no harm: two processes may collect the same.
 */
export function createLeasedCollection({
  records,
  blobs,
  clock,
  random,
}: InspectableStores & { readonly clock: Pick<Clock, "nowMs">; readonly random: Pick<Random, "uuid"> }): (
  stopping?: AbortSignal,
) => Promise<LeasedCollection | null> {
  const holder = random.uuid();
  return async (stopping) => {
    if (!(await records.collection.lease(holder, clock.nowMs() + LEASED_FOR_MS))) return null;
    const collected = await collectLeftovers({ records, blobs }, stopping);
    return { collected, expiredRows: await records.sweepExpired(), backups: await records.recentCount() };
  };
}
