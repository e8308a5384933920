/** For a driver that does not keep deleted states, collections and events yet: it has none, and takes none. */
import type { Change, NewEvent } from "./contract.ts";
import type { Collection } from "./inspection.ts";
import type { Outbox } from "./outbox.ts";

/** @throws Error where a change has a member that the driver would have to ignore. */
export function requireSupported(change: Change): void {
  const { setAside, bringBack, forget, collect, events } = change;
  for (const member of [setAside, bringBack, forget, collect]) if (member !== undefined) refuse();
  refuseEvents(events);
}

export function refuseEvents(events: readonly NewEvent[] = []): void {
  if (events.length > 0) refuse();
}

export const emptyOutbox: Outbox = {
  due: async () => [],
  claim: async () => null,
  settle: async () => refuse(),
  backlog: async () => ({ waiting: 0, oldestMs: null }),
};

export const emptyCollection: Collection = {
  due: async () => [],
  take: async () => [],
  settle: async () => refuse(),
};

function refuse(): never {
  throw new Error("this driver does not keep deleted states and events yet");
}
