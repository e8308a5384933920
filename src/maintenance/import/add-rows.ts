/**
 * The index rows that the commit of a backup left out, once every backup of the source was seen: those of factors for which
 * the table of the source has no row, as far as one backup alone lists them; those that were too many for one commit; and
 * those of factors that led to another backup here, which has lost them since.
 */
import { ownershipOf } from "../../backups/legacy/ownership.ts";
import { readable, readBackup } from "../../backups/legacy/read-backup.ts";
import { leadingElsewhere, MAX_CLAIMS, ownersOf } from "../../backups/legacy/store-backup.ts";
import { lists } from "../../backups/model.ts";
import type { FactorRef } from "../../storage/contract.ts";
import { legacyRowKey } from "../../storage/legacy.ts";
import type { KeyFilter } from "../key-filter.ts";
import { type ImportRun, type ImportStores, named } from "./run.ts";

/**
 * Adds what is missing of one backup, and returns what cannot be settled.
 *
 * @param listedTwice has the factors that more than one backup lists, with a few false positives.
 * @throws LegacyProblem
 */
export async function addRows(
  run: ImportRun,
  backupId: string,
  listedTwice: KeyFilter,
): Promise<readonly string[]> {
  const backup = await readBackup(run, backupId);
  if (backup === null) return [];
  const { owned, open } = await ownershipOf(run, backup);
  if (run.stores === null) return doubts(open, listedTwice);
  const missing = await leadingElsewhere(run.stores, backupId, open);
  // whether another backup lists them too is known only when all were read
  const isKnown = run.since === null;
  const problems = isKnown
    ? doubts(missing, listedTwice)
    : missing.map((factor) => `${named(factor)} has no row in the table: a run without --since settles it`);
  if (run.dryRun) return problems;
  const own = isKnown ? missing.filter((factor) => !listedTwice.mayHave(legacyRowKey(factor))) : [];
  const lost = await leadingElsewhere(run.stores, backupId, owned);
  const used = await claim(run.stores, backupId, [...lost, ...own]);
  return [...problems, ...used.map((factor) => `${named(factor)} is used by another backup here`)];
}

function doubts(factors: readonly FactorRef[], listedTwice: KeyFilter): string[] {
  return factors
    .filter((factor) => listedTwice.mayHave(legacyRowKey(factor)))
    .map(
      (factor) =>
        `${named(factor)} is listed by another backup too, and the table names neither: it leads to none`,
    );
}

/** Claims rows for the factors that the backup still lists; returns those that lead to another backup. */
async function claim(
  stores: ImportStores,
  backupId: string,
  factors: readonly FactorRef[],
): Promise<readonly FactorRef[]> {
  const { records } = stores;
  const used: FactorRef[] = [];
  for (let start = 0; start < factors.length; ) {
    const stored = await records.read(backupId);
    if (stored === null) return used;
    const metadata = readable(stored.metadata);
    const some = factors.slice(start, start + MAX_CLAIMS).filter((factor) => lists(metadata, factor));
    const owners = await ownersOf(stores, some);
    const free = some.filter((_, index) => owners[index] === null);
    const outcome =
      free.length === 0
        ? "committed"
        : await records.commit({ backupId, expect: stored, next: stored, claim: free });
    if (outcome !== "committed") continue; // changed meanwhile: decided again by what it is now
    used.push(...some.filter((_, index) => (owners[index] ?? backupId) !== backupId));
    start += MAX_CLAIMS;
  }
  return used;
}
