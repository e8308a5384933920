/** The events that changes leave, in the logs and at the webhook. */
import { readMetadata } from "../../src/backups/model.ts";
import type { Services } from "../../src/services.ts";
import { MAX_EVENTS, type StoredEvent } from "../../src/storage/contract.ts";
import type { TestService } from "../support/service.ts";
import type { Received } from "../webhooks/receivers.ts";

/** The logs of a backup and of its deleted states, with all that is in them. */
export interface Logged {
  readonly logIds: readonly string[];
  readonly events: readonly StoredEvent[];
}

/** What a webhook must get of a backup: these events, and so many resets, which no log has. */
export interface ExpectedDelivery {
  readonly backupId: string;
  readonly eventIds: readonly string[];
  readonly resets: number;
}

/** @param earlier logs that the backup had before; a reset leaves them to be collected. */
export async function loggedOf(
  { records }: Pick<Services, "records">,
  backupId: string,
  earlier: Logged = { logIds: [], events: [] },
): Promise<Logged> {
  const record = await records.read(backupId);
  const states = [...(record === null ? [] : [record]), ...(await records.readDeleted(backupId))];
  const found = states.map(({ metadata }) => readMetadata(metadata).logId ?? "none");
  const logIds = [...new Set([...earlier.logIds, ...found])];
  const logs = await Promise.all(
    logIds.map((logId) => records.readEvents(logId, { before: null, limit: MAX_EVENTS })),
  );
  return { logIds, events: logs.flatMap(({ events }) => events) };
}

/** The kinds of events, in no order: many are of one millisecond. */
export function kindsOf({ events }: Logged): string {
  return events
    .map(({ body }) => String(body.kind))
    .toSorted()
    .join(" ");
}

/** As {@link kindsOf}, once events of these kinds are added. No log has a reset. */
export function kindsWith(logged: Logged, ...added: readonly string[]): string {
  return [...kindsOf(logged).split(" "), ...added]
    .filter((kind) => kind !== "" && kind !== "RESET")
    .toSorted()
    .join(" ");
}

const LONGER_THAN_ANY_CLAIM_MS = 60_000;

/** Has a service deliver all that is queued; no other process may hold an event. */
export async function delivered({ services, clock }: TestService): Promise<void> {
  clock.advance(LONGER_THAN_ANY_CLAIM_MS);
  while ((await services.stores.records.outbox.backlog()).waiting > 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** How the events that a webhook received differ from what it must get. Repeats have the same id, and count once. */
export function wrongDeliveries(
  received: readonly Received[],
  expected: readonly ExpectedDelivery[],
): string[] {
  const posted = new Map<string, Map<string, string>>();
  for (const { headers, body } of received) {
    const { data } = JSON.parse(body);
    const events = posted.get(data.backupId) ?? new Map<string, string>();
    posted.set(data.backupId, events.set(headers["webhook-id"] ?? "", data.event.kind));
  }
  return expected.flatMap(({ backupId, eventIds, resets }) => {
    const found = new Map(posted.get(backupId));
    const lost = eventIds.filter((id) => !found.delete(id));
    const others = [...found.values()];
    const wrong =
      lost.length > 0 ? [`the webhook has not received ${lost.length} events of ${backupId}`] : [];
    if (others.join() !== Array(resets).fill("RESET").join())
      wrong.push(`the webhook received ${others.join(" ") || "no reset"} of ${backupId}, which no log has`);
    return wrong;
  });
}
