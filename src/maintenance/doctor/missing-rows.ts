/**
 * Which backups lack index rows, and which factors several backups list. A factor without a row may get one only if a single
 * backup lists it: of two backups, its owner would recover the one that was examined first.
 */
import type { Random } from "../../runtime/clock.ts";
import type { FactorRef } from "../../storage/contract.ts";
import { concurrently } from "../concurrently.ts";
import { createKeyFilter, type KeyFilter } from "../key-filter.ts";
import { type Examination, WIDTH } from "./examination.ts";
import { listedFactors } from "./listed-factors.ts";
import { readState } from "./record-state.ts";

/** The backups that lack rows, in memory of fixed size, which is taken for the first one. Others may be taken for such. */
export class BackupsWithoutRows {
  readonly #random: Random;
  #filter: KeyFilter | null = null;
  /** Whether any backup lacks a row. */
  areThere: boolean;
  readonly #areUnknown: boolean;

  /** @param areUnknown whether there are some that are not known by name, so that every backup may be one. */
  constructor(random: Random, areUnknown: boolean) {
    this.#random = random;
    this.#areUnknown = areUnknown;
    this.areThere = areUnknown;
  }

  add(backupId: string): void {
    this.areThere = true;
    this.#filter ??= createKeyFilter(this.#random);
    this.#filter.add(backupId);
  }

  mayHave(backupId: string): boolean {
    return this.#areUnknown || (this.#filter?.mayHave(backupId) ?? false);
  }
}

/** Whether more than one backup lists a factor. */
export type MayBeShared = (factor: FactorRef) => boolean;

/** Reads every record. Memory is of fixed size, so that a factor may be taken for a shared one (key-filter.ts). */
export async function sharedFactors({
  records,
  random,
}: Pick<Examination, "records" | "random">): Promise<MayBeShared> {
  const [once, twice] = [createKeyFilter(random), createKeyFilter(random)];
  const reading = concurrently(records.list(), WIDTH, async ({ backupId }) => {
    const state = await readState(records, backupId);
    if (state.kind !== "valid") return [];
    for (const factor of listedFactors(records, backupId, state.metadata).factors) {
      const key = keyOf(factor);
      (once.mayHave(key) ? twice : once).add(key);
    }
    return [];
  });
  for await (const _nothing of reading);
  return (factor) => twice.mayHave(keyOf(factor));
}

function keyOf({ scope, key }: FactorRef): string {
  return `${scope} ${key}`;
}
