/** What killed processes leave behind, as the doctor of an operator finds and removes it. */
import { Counts } from "../../src/maintenance/doctor/examination.ts";
import { examine } from "../../src/maintenance/doctor/examine.ts";
import { REMOVABLE } from "../../src/maintenance/doctor/findings.ts";
import { type Clock, systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { TestStorage } from "../drivers.ts";
import { scopeOf, TWO_APPS } from "../support/apps.ts";

/** After this a blob without a record is no longer one that is about to be committed. */
const HOURS_LATER_MS = 2 * 60 * 60 * 1000;
const LATER: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + HOURS_LATER_MS };

export interface Leftovers {
  /** Blobs that no record refers to; where there are more of them than backups, the others are left for the next time. */
  readonly removed: number;
  /** What it found besides: a kill must leave nothing but blobs that no record refers to. */
  readonly broken: readonly string[];
}

/** Has the doctor repair a storage that no process uses, as if some hours had passed. */
export async function removeLeftovers(storage: TestStorage): Promise<Leftovers> {
  await using stores = await storage.open({ clock: LATER, random: systemRandom });
  const { records, blobs } = stores;
  const broken: string[] = [];
  let removed = 0;
  for await (const { kind, backupId, blobKey, repaired, detail } of examine({
    records,
    blobs,
    clock: LATER,
    random: systemRandom,
    verify: true,
    servedScopes: new Set(TWO_APPS.map(({ name }) => scopeOf(name))),
    repair: true,
    remove: new Set(REMOVABLE),
    restores: await records.restores(),
    counts: new Counts(),
    pause: async () => {},
    pace: async () => {},
    interrupted: null,
    reached: null,
  })) {
    if (blobKey === null || !/^blob-(unreferenced|of-unknown-backup|newer-than-records)$/.test(kind))
      broken.push(`the doctor found ${kind} of ${backupId} (${detail})`);
    else if (repaired) removed++;
  }
  return { removed, broken };
}
