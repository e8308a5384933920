import type { RecordStore } from "../../storage/contract.ts";
import { importMark } from "../legacy/import-mark.ts";
import type { Adoption } from "./adoption.ts";

/**
 * The same record store, as if it had the backups of the other service: what is not here is looked up there and taken over
 * first. So no operation knows of it. What is here costs no call of the other stores. A deletion marks the id, so that it is
 * not taken over again.
 *
 * @throws what {@link Adoption} throws: nothing is reported as missing while that is not known.
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
