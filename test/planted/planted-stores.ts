/** Stores with faults that a campaign must report. */
import type { Stores } from "../../src/services.ts";
import type { Change, RecordStore } from "../../src/storage/contract.ts";
import type { Outbox } from "../../src/storage/outbox.ts";

/** Breaks a pair of stores. */
type Plant = <T extends Stores>(stores: T) => T;

export const PLANTED = {
  /** A commit replaces whatever is stored. */
  "overwrites what is newer": withCommit(async (records, change) => {
    const stored = change.expect === "absent" ? null : await records.read(change.backupId);
    return records.commit(stored === null ? change : { ...change, expect: { revision: stored.revision } });
  }),
  /** A proof can be used again. */
  "consumes no nonces": withCommit((records, change) => records.commit({ ...change, consume: [] })),
  /** What is acknowledged is written later, if the process still runs. */
  "acknowledges too early": withCommit(async (records, change) => {
    setTimeout(() => void records.commit(change), LATER_MS);
    return "committed";
  }),
  /** Some changes are acknowledged and never made. */
  "makes every other change": withCommit(async (records, change) => {
    made = !made;
    return made ? records.commit(change) : "committed";
  }),
  /** A sync factor token that was never issued meets a defect. */
  "throws for unknown tokens": (stores) => {
    const { records } = stores;
    const readToken = async (id: string) => {
      const found = await records.readToken(id);
      if (found === null) throw new TypeError("a defect");
      return found;
    };
    return { ...stores, records: withMethods(records, { readToken }) };
  },
  /** Nothing of a deleted backup is kept. */
  "keeps no deleted state": withCommit((records, { setAside: _, ...change }) => records.commit(change)),
  /** No sync factor token is known. */
  "forgets tokens": (stores) => ({
    ...stores,
    records: withMethods(stores.records, { readToken: async () => null }),
  }),
  /** A restoration of a version is refused as if it were repeated. */
  "refuses restorations": withCommit(async (records, change) => {
    const restores = change.events?.some(({ body }) => body.kind === "VERSION_RESTORED");
    return restores ? "consumed" : records.commit(change);
  }),
  /** The same, as if the backup were changed at each attempt. */
  "finds restorations overtaken": withCommit(async (records, change) => {
    const restores = change.events?.some(({ body }) => body.kind === "VERSION_RESTORED");
    return restores ? "revision" : records.commit(change);
  }),
  /** A ciphertext that is to be deleted stays. */
  "deletes no ciphertext": (stores) => ({
    ...stores,
    blobs: withMethods(stores.blobs, { delete: async () => {} }),
  }),
  /** An event counts as delivered once an attempt begins. */
  "settles what is claimed": (stores) => ({
    ...stores,
    records: withMethods(stores.records, { outbox: settling(Reflect.get(stores.records, "outbox")) }),
  }),
} as const satisfies Readonly<Record<string, Plant>>;

/** Later than the next requests come on any machine. */
const LATER_MS = 60_000;

export type PlantedFault = keyof typeof PLANTED;

let made = false;

export function isPlantedFault(name: string | undefined): name is PlantedFault {
  return name !== undefined && name in PLANTED;
}

function withCommit(
  commit: (records: RecordStore, change: Change) => ReturnType<RecordStore["commit"]>,
): Plant {
  return (stores) => {
    const { records } = stores;
    return {
      ...stores,
      records: withMethods(records, { commit: (change: Change) => commit(records, change) }),
    };
  };
}

/** The same store with some members replaced. */
function withMethods<T extends object>(store: T, members: Readonly<Record<string, unknown>>): T {
  return new Proxy(store, {
    get(target, name) {
      if (typeof name === "string" && Object.hasOwn(members, name)) return members[name];
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

function settling(outbox: Outbox): Outbox {
  return withMethods(outbox, {
    async claim(...given: Parameters<Outbox["claim"]>) {
      const claimed = await outbox.claim(...given);
      if (claimed !== null) await outbox.settle(claimed);
      return claimed;
    },
  });
}
