import type { StoredEvent } from "../storage/contract.ts";

/** What is posted of an event, the same text at each attempt. `MAIN_FACTOR_ADDED` has the type `backup.main.factor.added`. */
export function webhookBody({ id, backupId, atMs, body }: StoredEvent): string {
  const { kind } = body;
  if (typeof kind !== "string") throw new TypeError("an event has no kind");
  return JSON.stringify({
    type: `backup.${kind.toLowerCase().replaceAll("_", ".")}`,
    timestamp: new Date(atMs).toISOString(),
    data: { backupId, event: { id, at: Math.floor(atMs / 1000), ...body } },
  });
}
