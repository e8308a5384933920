/**
 * Takes backups of the other service over when a request needs them. The other stores are only read. Any number of
 * processes, and an import, may take over the same backup: the mark of its id lets one commit of them succeed.
 */

import { ServiceError } from "../../errors.ts";
import { isBackupId } from "../../protocol/backup.ts";
import type { Background } from "../../runtime/background.ts";
import { currentRequest } from "../../runtime/current-request.ts";
import { FairSemaphore } from "../../runtime/fair-semaphore.ts";
import type { FactorRef } from "../../storage/contract.ts";
import { legacyRowKey } from "../../storage/legacy.ts";
import { MAX_ATTEMPTS } from "../change.ts";
import { importMark } from "../legacy/import-mark.ts";
import { LegacyProblem } from "../legacy/metadata.ts";
import { readBackup, type SourceBackup } from "../legacy/read-backup.ts";
import { ID_TAKEN, MAX_CLAIMS, type TakeOverStores } from "../legacy/store-backup.ts";
import { allFactorRefs, lists, readMetadata } from "../model.ts";
import { errorOf } from "../outcomes.ts";
import { type AdoptionSource, adoptBackup } from "./adopt-backup.ts";
import { sharedCalls } from "./shared-calls.ts";

/**
 * Both methods resolve to whether the record store has to be read again: `false` where the other service has no such
 * factor or backup, at the cost of one call there.
 *
 * @throws ServiceError `service_unavailable` while the other service's stores do not respond, or what is there cannot be
 *   taken over as it is; too many calls wait.
 */
export interface Adoption {
  /** Takes over the backups that factors lead to in the other service, unless they are or were here. */
  ofFactors(factors: readonly FactorRef[]): Promise<boolean>;
  /** Takes over the backup of an id, unless it is or was here. */
  ofBackup(backupId: string): Promise<boolean>;
}

/** Reports for the operator. */
export interface AdoptionReports {
  /** @param lost how many of its factors lead to another backup here. */
  adopted(backupId: string, lost: number): void;
  /** A backup that is there could not be taken over: it is torn, or a store does not respond. */
  failed(backupId: string, error: unknown): void;
}

export interface AdoptionOptions extends AdoptionSource, TakeOverStores {
  readonly background: Background;
  readonly reports: AdoptionReports;
}

/** A client that invents keys must neither cause any number of calls there at a time nor keep others from theirs. */
const LOOKUPS = { permits: 64, maxPerKey: 24, maxWaitingPerKey: 256, maxWaitMs: 5_000 };
/** Each may hold some MiB of a ciphertext. */
const TRANSFERS = { permits: 16, maxPerKey: 8, maxWaitingPerKey: 64, maxWaitMs: 12_000 };

export function createAdoption(options: AdoptionOptions): Adoption {
  const { source, records, background, reports } = options;
  const lookups = new FairSemaphore(LOOKUPS);
  const shareRows = sharedCalls<Awaited<ReturnType<typeof source.rows>>>(lookups);
  const shareMetadata = sharedCalls<SourceBackup | null>(lookups);
  const shareAdoption = sharedCalls<void>(new FairSemaphore(TRANSFERS));
  const client = () => currentRequest.getStore()?.client ?? "";

  async function ofFactors(factors: readonly FactorRef[]): Promise<boolean> {
    if (factors.length === 0) return false;
    const keys = factors.map(legacyRowKey).join("\n");
    const rows = await shareRows(keys, client(), () => source.rows(factors));
    const leadHere = await Promise.all(
      factors.map(async (factor) => {
        const row = rows.get(legacyRowKey(factor));
        return row !== undefined && leads(factor, row.backupId);
      }),
    );
    return leadHere.includes(true);
  }

  /** A factor that leads to a backup there: takes the backup over, or completes the index of one that is here. */
  async function leads(factor: FactorRef, backupId: string): Promise<boolean> {
    const before = isBackupId(backupId) ? await records.read(backupId) : null;
    if (before === null && !(await ofBackup(backupId))) return false;
    for (let attempt = 1; ; attempt++) {
      const stored = (attempt === 1 ? before : null) ?? (await records.read(backupId));
      if (stored === null) return false; // deleted here
      const metadata = readMetadata(stored.metadata);
      if (!lists(metadata, factor)) {
        // where the backup was taken over, the factor was removed here, or was never on it
        if (!(await wasHere(backupId))) reports.failed(backupId, new LegacyProblem(ID_TAKEN));
        return false;
      }
      if (before === null && allFactorRefs(metadata).length <= MAX_CLAIMS) return true;
      // one commit did not take all rows of the backup
      const outcome = await records.commit({ backupId, expect: stored, next: stored, claim: [factor] });
      if (outcome !== "revision") return true;
      if (attempt === MAX_ATTEMPTS) throw errorOf(outcome);
    }
  }

  async function ofBackup(backupId: string): Promise<boolean> {
    if (isBackupId(backupId) && (await wasHere(backupId))) return true; // or another was faster
    try {
      const first = await shareMetadata(backupId, client(), () => metadataOf(backupId));
      if (first === null) return false;
      await shareAdoption(backupId, client(), () => {
        const adopting = adopt(first, client());
        // it continues when its client disconnects, and the stores stay open for it; the requests get its error
        void background.runAtOnce("adopt a backup", () => Promise.allSettled([adopting]));
        return adopting;
      });
      return true;
    } catch (error) {
      if (!(error instanceof LegacyProblem)) throw error;
      throw new ServiceError("service_unavailable", "The backup cannot be moved in as it is", {
        cause: error,
      });
    }
  }

  async function adopt(first: SourceBackup, address: string): Promise<void> {
    const { backupId } = first;
    if (await wasHere(backupId)) return; // while this waited for a permit
    try {
      const stored = await adoptBackup(options, options, first, address);
      if (stored?.outcome === "imported") reports.adopted(backupId, stored.lost.length);
    } catch (error) {
      reports.failed(backupId, error);
      throw error;
    }
  }

  /** @throws LegacyProblem */
  async function metadataOf(backupId: string): Promise<SourceBackup | null> {
    try {
      return await readBackup(options, backupId);
    } catch (error) {
      // an unknown id in an outage is no failed adoption
      if (error instanceof LegacyProblem) reports.failed(backupId, error);
      throw error;
    }
  }

  /** Whether a backup of the id was taken over, or was deleted here and can be brought back. */
  async function wasHere(backupId: string): Promise<boolean> {
    const [isMarked, kept] = await Promise.all([
      records.isConsumed([importMark(backupId)]),
      records.readDeleted(backupId),
    ]);
    return isMarked || kept.length > 0;
  }

  return { ofFactors, ofBackup };
}
