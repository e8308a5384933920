import type { RecordStore } from "../../storage/contract.ts";
import { importMark } from "../legacy/import-mark.ts";
import type { Adoption } from "./adoption.ts";

/**
 * Wraps a record store so that it also has the backups of the other service. What is not found is looked up there and
 * taken over before the response; what is found costs no call there. A deletion marks the id, so that the backup is not
 * taken over again.
 *
 * @throws what {@link Adoption} throws: a backup is missing only if the other service has responded, too.
 */
export function adoptingRecords(records: RecordStore, adoption: Adoption): RecordStore {
  return {
    async locate(factor, nonces) {
      const found = await records.locate(factor, nonces);
      if (found.backupId !== null || found.consumed) return found;
      return (await adoption.ofFactors([factor])) ? records.locate(factor, nonces) : found;
    },

    async read(backupId) {
      const found = await records.read(backupId);
      if (found !== null) return found;
      return (await adoption.ofBackup(backupId)) ? records.read(backupId) : null;
    },

    async commit(change) {
      const { backupId, expect, next, claim = [], mark = [], bringBack, forget } = change;
      const isNew = expect === "absent" && bringBack === undefined && forget === undefined;
      await Promise.all([adoption.ofFactors(claim), isNew && adoption.ofBackup(backupId)]);
      return records.commit(next === null ? { ...change, mark: [...mark, importMark(backupId)] } : change);
    },

    isConsumed: (nonces) => records.isConsumed(nonces),
    consume: (nonces, issue, events) => records.consume(nonces, issue, events),
    readDeleted: (backupId, after) => records.readDeleted(backupId, after),
    readEvents: (logId, page) => records.readEvents(logId, page),
    readToken: (id) => records.readToken(id),
    addToCounter: (id, amount, expiresAtMs) => records.addToCounter(id, amount, expiresAtMs),
    ready: () => records.ready(),
    writable: () => records.writable(),
    [Symbol.asyncDispose]: () => records[Symbol.asyncDispose](),
  };
}
