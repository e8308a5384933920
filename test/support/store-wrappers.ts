/** Stores that a test has its hand in. */
import type { Stores } from "../../src/services.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";

/** The same store with some of its methods in the test's own way. */
export function replaced<T extends object>(store: T, methods: Partial<T>): T {
  return new Proxy(store, {
    get(target, name) {
      if (name in methods) return Reflect.get(methods, name);
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** The same store; `onCall` sees the name of each method that is called. */
export function watched<T extends object>(store: T, onCall: (method: string) => void): T {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]) => {
        onCall(String(name));
        return member.apply(target, parameters);
      };
    },
  });
}

/** The same store; `act` runs once, right before the first call of a method. */
export function onceBefore<T extends object>(
  store: T,
  method: keyof T & string,
  act: () => Promise<unknown>,
): T {
  let isFirst = true;
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name !== method) return member.bind(target);
      return async (...parameters: unknown[]) => {
        const isNow = isFirst;
        isFirst = false;
        if (isNow) await act();
        return member.apply(target, parameters);
      };
    },
  });
}

/** One commit in so many is late. */
const LATE = 8;

/** The same stores; some commits get no response. They are made later, right before another one, or never. */
export function late({ records, blobs }: Stores, random: () => number): Stores {
  const waiting: (() => Promise<unknown>)[] = [];
  const commit: typeof records.commit = async (change) => {
    if (random() % 2 === 0) await waiting.shift()?.();
    if (random() % LATE > 0) return records.commit(change);
    waiting.push(() => records.commit(change));
    throw new StorageUnavailable("the backup could not be changed");
  };
  return { records: replaced(records, { commit }), blobs };
}

/** The same stores as over a network: each call takes some turns of the event loop, so that requests interleave. */
export function interleaving({ records, blobs }: Stores): Stores {
  return { records: slowed(records), blobs: slowed(blobs) };
}

/** What operations call of the stores. */
const OF_OPERATIONS = [
  "locate",
  "isConsumed",
  "read",
  "commit",
  "consume",
  "readDeleted",
  "readEvents",
  "readToken",
  "put",
  "get",
  "delete",
];

/** The same store; `around` runs each call of an operation, and may delay it, fail, or run it and fail all the same. */
export function disturbed<T extends object>(
  store: T,
  around: (run: () => Promise<unknown>) => Promise<unknown>,
): T {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (!OF_OPERATIONS.includes(String(name))) return member.bind(target);
      return (...parameters: unknown[]) => around(async () => member.apply(target, parameters));
    },
  });
}

function slowed<T extends object>(store: T): T {
  return disturbed(store, async (run) => {
    await someTurns();
    const result = await run();
    await someTurns();
    return result;
  });
}

async function someTurns(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 20); turns > 0; turns--)
    await new Promise<void>((resolve) => setImmediate(resolve));
}
