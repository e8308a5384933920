/** The end of a campaign: whatever crashes have left is collected, and then nothing may be broken or left. */
import { collectLeftovers } from "../../src/maintenance/leftovers.ts";
import { type Clock, systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { TestStorage } from "../drivers.ts";
import { removeLeftovers } from "../kill/leftovers.ts";
import { brokenAfterCollection } from "../support/invariants.ts";

const MONTHS_MS = 90 * 24 * 60 * 60 * 1000;
const LATER: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + MONTHS_MS };

/** Collects what is due months later, and has the doctor remove what no state refers to. No process may run. */
export async function brokenAfterMonths(storage: TestStorage): Promise<string[]> {
  await using stores = await storage.open({ clock: LATER, random: systemRandom });
  await collectLeftovers(stores);
  const broken: string[] = [];
  for (let isMore = true; isMore; ) {
    const found = await removeLeftovers(storage); // no more of them than there are backups
    broken.push(...found.broken);
    isMore = found.removed > 0;
  }
  return [...broken, ...(await brokenAfterCollection(stores))];
}
