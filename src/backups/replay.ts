import { PossibleReplay } from "../proofs/possible-replay.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { RecordStore } from "../storage/contract.ts";
import { alreadyUsed, isOtherRefusal } from "./outcomes.ts";

/** The nonces that an operation consumes, from its arguments. */
type NoncesOf<Args extends unknown[]> = (...args: Args) => readonly Nonce[];

export interface ReplayReporting {
  /**
   * Runs `act`. If it fails and one of `nonces`, or of those of a {@link PossibleReplay}, was consumed before, the error
   * is `already_used`. `service_unavailable` stays: the outcome of the request is not known.
   */
  run<T>(nonces: readonly Nonce[], act: () => T | Promise<T>): Promise<T>;
  /** The same operation, with each call run by {@link run}. */
  of<Args extends unknown[], T>(
    operation: (...args: Args) => Promise<T>,
    noncesOf: NoncesOf<Args>,
  ): (...args: Args) => Promise<T>;
}

/**
 * Reports a consumed nonce before any other error. Looked up only on failure: a success learns it from the commit that
 * consumes the nonces.
 */
export function createReplayReporting(records: Pick<RecordStore, "isConsumed">): ReplayReporting {
  async function run<T>(nonces: readonly Nonce[], act: () => T | Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const suspected = error instanceof PossibleReplay ? [...nonces, ...error.nonces] : nonces;
      const isSuspect = isOtherRefusal(error) && suspected.length > 0;
      if (isSuspect && (await records.isConsumed(suspected))) throw alreadyUsed();
      throw error;
    }
  }

  return {
    run,
    of:
      (operation, noncesOf) =>
      (...args) =>
        run(noncesOf(...args), () => operation(...args)),
  };
}
