/**
 * Which factors the records list. A factor without a row may get one only if a single backup lists it: of two backups, its
 * owner would recover the one that was examined first.
 */
import type { Random } from "../../runtime/clock.ts";
import type { FactorRef } from "../../storage/contract.ts";
import { createKeyFilter } from "../key-filter.ts";

/** What was seen of all records, in memory of fixed size. It may have false positives (key-filter.ts). */
export class ListedFactors {
  readonly #once;
  readonly #twice;
  readonly #backupsWithoutRows;
  /** Whether any backup lacks a row. */
  areRowsMissing = false;

  constructor(random: Random) {
    this.#once = createKeyFilter(random);
    this.#twice = createKeyFilter(random);
    this.#backupsWithoutRows = createKeyFilter(random);
  }

  /** To call once for each backup. @param factors in stored form, each once. */
  add(backupId: string, factors: readonly FactorRef[], lacksRows: boolean): void {
    for (const factor of factors) {
      const key = keyOf(factor);
      (this.#once.mayHave(key) ? this.#twice : this.#once).add(key);
    }
    if (!lacksRows) return;
    this.areRowsMissing = true;
    this.#backupsWithoutRows.add(backupId);
  }

  mayLackRows(backupId: string): boolean {
    return this.#backupsWithoutRows.mayHave(backupId);
  }

  /** Whether more than one backup lists a factor. */
  mayBeShared(factor: FactorRef): boolean {
    return this.#twice.mayHave(keyOf(factor));
  }
}

function keyOf({ scope, key }: FactorRef): string {
  return `${scope} ${key}`;
}
