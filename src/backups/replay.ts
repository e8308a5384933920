import { ServiceError } from "../errors.ts";
import { PossibleReplay } from "../proofs/possible-replay.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { RecordStore } from "../storage/contract.ts";
import { alreadyUsed } from "./outcomes.ts";

/** The values that the proof of an operation consumes, from what the operation is called with. */
type NoncesOf<Args extends unknown[]> = (...args: Args) => readonly Nonce[];

export interface ReplayReporting {
  /**
   * Runs `act`. Where it fails although one of `nonces`, or of those of a {@link PossibleReplay}, was consumed before, the
   * failure is `already_used`, whatever has changed since. An outage stays one: nobody knows what became of the call.
   */
  run<T>(nonces: readonly Nonce[], act: () => T | Promise<T>): Promise<T>;
  /** The same operation, each call of it as by {@link run}. */
  of<Args extends unknown[], T>(
    operation: (...args: Args) => Promise<T>,
    noncesOf: NoncesOf<Args>,
  ): (...args: Args) => Promise<T>;
}

/**
 * Reports a used nonce before any other error. Looked up only where a call has failed: a success learns it from the commit
 * that consumes the nonces.
 */
export function createReplayReporting(records: Pick<RecordStore, "isConsumed">): ReplayReporting {
  async function run<T>(nonces: readonly Nonce[], act: () => T | Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const isDecided =
        error instanceof ServiceError &&
        error.code !== "service_unavailable" &&
        error.code !== "already_used";
      const suspected = error instanceof PossibleReplay ? [...nonces, ...error.nonces] : nonces;
      if (isDecided && suspected.length > 0 && (await records.isConsumed(suspected))) throw alreadyUsed();
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
