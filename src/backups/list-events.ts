import { Value } from "@sinclair/typebox/value";
import { Event } from "../protocol/event.ts";
import type { StoredEvent } from "../storage/contract.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { noteLastUse } from "./last-use.ts";

export function listEvents(context: BackupsContext): Backups["listEvents"] {
  const { records, access, changes } = context;
  return async (by, page) => {
    const backupId = await access.find(by);
    const { backup, events, next } = await changes.consumeDuring(by, async () => {
      const backup = await access.open(backupId, by.factor);
      const { logId } = backup.metadata;
      const read = logId === undefined ? NONE : await records.readEvents(logId, page);
      return { backup, ...read };
    });
    noteLastUse(context, backup, by.factor);
    return { events: events.map(exportEvent), next };
  };
}

const NONE = { events: [], next: null };

/** @throws Error when what is stored is no event. */
function exportEvent({ id, atMs, body }: StoredEvent): Event {
  return Value.Parse(Event, { id, at: Math.floor(atMs / 1000), ...body });
}
