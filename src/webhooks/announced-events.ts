import type { NewEvent, RecordStore } from "../storage/contract.ts";

/** Wraps a record store: `announce` is called with the events of each write, once it is durable. */
export function announcingEvents(
  records: RecordStore,
  announce: (events: readonly NewEvent[]) => void,
): RecordStore {
  return {
    async commit(change) {
      const outcome = await records.commit(change);
      if (outcome === "committed" && change.events !== undefined) announce(change.events);
      return outcome;
    },
    async consume(nonces, issue, events) {
      const consumption = await records.consume(nonces, issue, events);
      if (consumption !== null && events !== undefined) announce(events);
      return consumption;
    },
    locate: (factor, nonces) => records.locate(factor, nonces),
    isConsumed: (nonces) => records.isConsumed(nonces),
    read: (backupId) => records.read(backupId),
    readDeleted: (backupId, after) => records.readDeleted(backupId, after),
    readEvents: (logId, page) => records.readEvents(logId, page),
    readToken: (id) => records.readToken(id),
    addToCounter: (id, amount, expiresAtMs) => records.addToCounter(id, amount, expiresAtMs),
    ready: () => records.ready(),
    writable: () => records.writable(),
    [Symbol.asyncDispose]: () => records[Symbol.asyncDispose](),
  };
}
