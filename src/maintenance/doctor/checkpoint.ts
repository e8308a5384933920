/**
 * How far an examination has come, so that another one goes on from there after an interruption.
 *
 * What has a place are the two parts that take long: the index rows, then the records. All else, such as the unreferenced
 * blobs, is examined by each run as a whole.
 */
import type { FactorRef } from "../../storage/contract.ts";
import type { FindingKind } from "./findings.ts";

/** The last item that was examined, with all before it; `null` where none of its part was. */
export type Place =
  | { readonly part: "index"; readonly after: FactorRef | null }
  | { readonly part: "records"; readonly after: string | null };

export interface Checkpoint {
  readonly place: Place;
  /** When the first of the interrupted examinations began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** Whether backups that lack index rows were found. They are examined at the end. */
  readonly areRowsMissing: boolean;
}

/** What is passed on to the next examination. */
export interface Interrupted extends Checkpoint {
  /** The kinds of what was found up to the place. */
  readonly found: ReadonlySet<FindingKind>;
}
