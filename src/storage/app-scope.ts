/**
 * What several apps in one store are kept apart by: the ids and keys of an app begin with its name. Those of the app without
 * a scope are stored as they are, and none of them begins like those of another app. Drivers, sweep, doctor and copies
 * work on stored ids and know no app, so what an app left behind is kept like everything else.
 */
import type { Nonce } from "../runtime/nonce.ts";
import type { BlobStore, Change, FactorRef, NewEvent, RecordStore, SyncFactorToken } from "./contract.ts";
import type { BlobInspection, InspectableStores, RecordInspection } from "./inspection.ts";

const STORED_ID = /^app\/([a-z0-9-]{1,32})\/(.*)$/s;

/** An id or a key as the stores have it. @param app `null`: the app without a scope. Part of the stored format. */
export function storedId(app: string | null, id: string): string {
  return app === null ? id : `app/${app}/${id}`;
}

/** The reverse of {@link storedId}: whose an id is, and what the app calls it. */
export function appOf(stored: string): { readonly app: string | null; readonly id: string } {
  const [, app = null, id = stored] = STORED_ID.exec(stored) ?? [];
  return { app, id };
}

/** A factor as the index has it. One that is in its stored form stays as it is. */
export function storedFactor(app: string | null, factor: FactorRef): FactorRef {
  return factor.stored ? factor : { ...factor, key: storedId(app, factor.key) };
}

/**
 * The record store as one app sees it: the promises of contract.ts, and nothing of other apps. Makes no call of its own.
 * Disposing of it disposes of `records`.
 */
export function recordsOfApp(records: RecordStore, app: string | null): RecordStore {
  const idIn = (id: string) => storedId(app, id);
  const nonceIn = <T extends Nonce>(nonce: T): T => ({ ...nonce, id: idIn(nonce.id) });
  const factorIn = (factor: FactorRef) => storedFactor(app, factor);
  const tokenIn = (token: SyncFactorToken) => ({ ...nonceIn(token), backupId: idIn(token.backupId) });
  const eventIn = (event: NewEvent) => ({ ...event, backupId: idIn(event.backupId) });

  function changeIn({
    backupId,
    claim,
    release,
    consume,
    mark,
    redeem,
    issue,
    events,
    ...rest
  }: Change): Change {
    return {
      ...rest,
      backupId: idIn(backupId),
      ...(claim && { claim: claim.map(factorIn) }),
      ...(release && { release: release.map(factorIn) }),
      ...(consume && { consume: consume.map(nonceIn) }),
      ...(mark && { mark: mark.map(nonceIn) }),
      ...(redeem !== undefined && { redeem: idIn(redeem) }),
      ...(issue && { issue: tokenIn(issue) }),
      ...(events && { events: events.map(eventIn) }),
    };
  }

  return {
    async locate(factor, nonces) {
      const found = await records.locate(factorIn(factor), nonces.map(nonceIn));
      if (found.backupId === null) return found;
      return { ...found, backupId: ownId(app, found.backupId) };
    },
    isConsumed: (nonces) => records.isConsumed(nonces.map(nonceIn)),
    read: (backupId) => records.read(idIn(backupId)),
    commit: (change) => records.commit(changeIn(change)),
    consume: (nonces, issue, events) =>
      records.consume(nonces.map(nonceIn), issue && tokenIn(issue), events?.map(eventIn)),
    readDeleted: (backupId, after) => records.readDeleted(idIn(backupId), after),
    async readEvents(logId, page) {
      const { events, next } = await records.readEvents(logId, page);
      return { events: events.map((event) => ({ ...event, backupId: ownId(app, event.backupId) })), next };
    },
    async readToken(id) {
      const token = await records.readToken(idIn(id));
      return token && { ...token, backupId: ownId(app, token.backupId) };
    },
    addToCounter: (id, amount, expiresAtMs) => records.addToCounter(idIn(id), amount, expiresAtMs),
    ready: () => records.ready(),
    writable: () => records.writable(),
    [Symbol.asyncDispose]: () => records[Symbol.asyncDispose](),
  };
}

/** The blob store as one app sees it. Ciphertexts have fresh names, which only its own records refer to. */
export function blobsOfApp(blobs: BlobStore, app: string | null): BlobStore {
  return {
    put: (backupId, content, client) => blobs.put(storedId(app, backupId), content, client),
    get: (ref, client) => blobs.get(ref, client),
    delete: (key) => blobs.delete(key),
    freeBytes: () => blobs.freeBytes(),
    ready: () => blobs.ready(),
    writable: () => blobs.writable(),
    [Symbol.asyncDispose]: () => blobs[Symbol.asyncDispose](),
  };
}

/** As much of the stores as an operator needs to work on the backups of one app. */
export interface AppStores {
  readonly records: RecordStore & Pick<RecordInspection, "list">;
  readonly blobs: BlobStore & Pick<BlobInspection, "sizeOf">;
}

/**
 * The stores as one app sees them, for operators. The list has only its backups.
 *
 * @param app `null`: the app without a scope.
 */
export function storesOfApp({ records, blobs }: InspectableStores, app: string | null): AppStores {
  async function* list() {
    for await (const record of records.list()) {
      const { app: owner, id } = appOf(record.backupId);
      if (owner === app) yield { ...record, backupId: id };
    }
  }
  return {
    records: { ...recordsOfApp(records, app), list },
    blobs: { ...blobsOfApp(blobs, app), sizeOf: (key) => blobs.sizeOf(key) },
  };
}

/** What the rows of an app lead to is its own, unless the store was changed past the service. */
function ownId(app: string | null, stored: string): string {
  const { app: owner, id } = appOf(stored);
  if (owner !== app) throw new Error("a row of an app leads to another app");
  return id;
}
