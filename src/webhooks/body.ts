import { appOf } from "../storage/app-scope.ts";
import type { StoredEvent } from "../storage/contract.ts";

/**
 * What is posted of an event, the same text at each attempt. `MAIN_FACTOR_ADDED` has the type `backup.main.factor.added`.
 *
 * @param stored with the id of the backup as the stores have it. Where that names an app, the body does too.
 * @param unscoped the name of the app whose ids name none; `null` where there are no apps.
 */
export function webhookBody(
  { id, backupId: stored, atMs, body }: StoredEvent,
  unscoped: string | null = null,
): string {
  const { kind } = body;
  if (typeof kind !== "string") throw new TypeError("an event has no kind");
  const { app, id: backupId } = appOf(stored);
  const name = app ?? unscoped;
  return JSON.stringify({
    type: `backup.${kind.toLowerCase().replaceAll("_", ".")}`,
    timestamp: new Date(atMs).toISOString(),
    data: {
      ...(name !== null && { app: name }),
      backupId,
      event: { id, at: Math.floor(atMs / 1000), ...body },
    },
  });
}
