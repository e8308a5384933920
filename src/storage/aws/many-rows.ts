/**
 * Changes of more index rows than a transaction of DynamoDB takes, which has at most 100 items. Only what creates a record
 * may claim so many, and only what deletes it may release so many: the further rows lead to a backup that does not exist,
 * and are claimed before its record is stored, or released after it is deleted. A crash in between leaves rows that lead
 * nowhere, or a record that lacks some, for the doctor. A creation of that id takes over the rows.
 *
 * Until the record is stored, others may release its further rows: the doctor, the end of a deletion of that id, or a
 * creation of that id that fails. All of these expect that there is no record. So once it is stored, no further row is lost,
 * and those that were are claimed again.
 */
import {
  type Change,
  type Conflict,
  type FactorRef,
  isUnchanged,
  type NextRecord,
  StorageUnavailable,
} from "../contract.ts";
import { distinctFactors } from "./changes.ts";

/** More index rows than a backup within the limits has, and few enough for all else that a change may name. */
const MAX_ROWS = 40;

export interface OneTransaction {
  /** Of the record that the transactions store, each of them the same one. */
  readonly revision: string;
  /**
   * Makes a change in one transaction.
   *
   * @param mustFail whether it fails with `factor-claimed` if there is no other conflict.
   */
  commit(change: Change, mustFail?: boolean): Promise<"committed" | Conflict>;
  /** Those of the rows that do not lead to the backup. */
  notLeadingTo(backupId: string, factors: readonly FactorRef[]): Promise<readonly FactorRef[]>;
}

type Creation = Change & Required<Pick<Change, "claim">> & { readonly next: NextRecord };

/** As `RecordStore.commit`. */
export async function commitInTransactions(
  change: Change,
  one: OneTransaction,
): Promise<"committed" | Conflict> {
  const { backupId, expect, next } = change;
  const claim = distinctFactors(change.claim ?? []);
  const release = distinctFactors(change.release ?? []);
  if (expect === "absent" && next !== null) return commitAfterClaims({ ...change, next, claim }, one);
  if (next !== null) return one.commit(change);
  const outcome = await one.commit({ ...change, release: release.slice(0, MAX_ROWS) });
  if (outcome === "committed") await releaseRows(backupId, release.slice(MAX_ROWS), one);
  return outcome;
}

/** The rows that this call has claimed are released where the change is not made. */
async function commitAfterClaims(change: Creation, one: OneTransaction): Promise<"committed" | Conflict> {
  const { backupId, claim } = change;
  let own: readonly FactorRef[] = claim.slice(0, MAX_ROWS);
  const claimed: FactorRef[] = [];
  let outcome: "committed" | Conflict = "committed";
  try {
    for (const rows of portionsOf(claim.slice(MAX_ROWS))) {
      // an earlier attempt that ended in between has left its rows
      const free = await one.notLeadingTo(backupId, rows);
      outcome = await one.commit({ backupId, expect: "absent", next: null, claim: free });
      if (outcome !== "committed") break;
      claimed.push(...free);
    }
    const areClaimed = outcome === "committed";
    outcome = await one.commit({ ...change, claim: own }, !areClaimed);
    if (areClaimed && outcome === "factor-claimed") {
      // a deletion that ended in between has left rows of this id
      const free = await one.notLeadingTo(backupId, own);
      if (free.length < own.length) outcome = await one.commit({ ...change, claim: free });
      own = free;
    }
  } catch (error) {
    if (isUnchanged(error)) await releaseRows(backupId, claimed, one);
    throw error;
  }
  if (outcome === "committed") await claimReleasedRows(change, new Set(own), one);
  else await releaseRows(backupId, claimed, one);
  return outcome;
}

/**
 * Claims the rows that were released before the record was stored, as long as no other change has come.
 *
 * @param own those that were claimed with the record.
 */
async function claimReleasedRows(
  { backupId, next, claim }: Creation,
  own: ReadonlySet<FactorRef>,
  one: OneTransaction,
): Promise<void> {
  try {
    for (const rows of portionsOf(claim.filter((factor) => !own.has(factor)))) {
      const released = await one.notLeadingTo(backupId, rows);
      if (released.length === 0) continue;
      // the same record at the same revision: it stays as others have read it
      const expect = { revision: one.revision };
      const outcome = await one.commit({ backupId, expect, next, claim: released });
      // the other change may have removed these factors, or not
      if (outcome !== "committed") throw new Error(`the rows conflict: ${outcome}`);
    }
  } catch (error) {
    throw new StorageUnavailable("some index rows of a new backup may be missing", { cause: error });
  }
}

/** Releases rows as long as there is no backup of that id: a later one keeps its rows. */
async function releaseRows(
  backupId: string,
  factors: readonly FactorRef[],
  one: OneTransaction,
): Promise<void> {
  try {
    // a conflict is a backup that was created meanwhile: the doctor releases what it does not claim
    for (const release of portionsOf(factors))
      await one.commit({ backupId, expect: "absent", next: null, release });
  } catch (error) {
    // that transaction may have changed nothing, but an earlier one has
    throw new StorageUnavailable("some index rows of a backup were not released", { cause: error });
  }
}

function portionsOf(factors: readonly FactorRef[]): readonly (readonly FactorRef[])[] {
  return Array.from({ length: Math.ceil(factors.length / MAX_ROWS) }, (_, portion) =>
    factors.slice(portion * MAX_ROWS, (portion + 1) * MAX_ROWS),
  );
}
