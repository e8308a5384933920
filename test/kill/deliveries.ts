/** What the webhook has received of all the processes that were killed. */
import type { WebhookConfig } from "../../src/config/webhook.ts";
import { type Clock, systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { pause } from "../../src/runtime/pause.ts";
import { createPost } from "../../src/webhooks/post.ts";
import { startWebhooks } from "../../src/webhooks/webhooks.ts";
import type { TestStorage } from "../drivers.ts";
import { TWO_APPS } from "../support/apps.ts";
import type { Received } from "../webhooks/receivers.ts";
import type { ExpectedEvents } from "./customer.ts";

/** Longer than the longest pause between two attempts. */
const HOURS_LATER_MS = 3 * 60 * 60 * 1000;
const LATER: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + HOURS_LATER_MS };

/** Delivers what is still queued, as a process does some hours later. */
export async function deliverAll(storage: TestStorage, config: WebhookConfig): Promise<void> {
  await using stores = await storage.open({ clock: LATER, random: systemRandom });
  const { outbox } = stores.records;
  const failed = Promise.withResolvers<never>();
  const fail = (reason: unknown) => failed.reject(new Error("an event was not delivered", { cause: reason }));
  const webhooks = startWebhooks({
    outbox,
    unscoped: TWO_APPS[0].name,
    post: createPost(config, LATER),
    reports: { delivered() {}, failed: fail, dropped: fail, postponed: fail },
    clock: LATER,
    random: systemRandom,
    pause,
  });
  const drained = async () => {
    while ((await outbox.backlog()).waiting > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  try {
    await Promise.race([drained(), failed.promise]);
  } finally {
    await webhooks.stop();
  }
}

/** How the events that arrived differ from the changes that were made. Repeats have the same id, and count once. */
export function wrongEvents(
  received: readonly Received[],
  { app, backupId, kinds, recoveries }: ExpectedEvents,
): string[] {
  const byId = new Map<string, string>();
  for (const { headers, body } of received) {
    const { data } = JSON.parse(body);
    if (data.app === app && data.backupId === backupId)
      byId.set(headers["webhook-id"] ?? "", data.event.kind);
  }
  const found = [...byId].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, kind]) => kind);
  const changes = found.filter((kind) => kind !== "RECOVERED");
  const recovered = found.length - changes.length;
  const wrong: string[] = [];
  if (changes.join() !== kinds.join()) wrong.push(`received ${changes.join(" ")}, not ${kinds.join(" ")}`);
  if (recovered < recoveries.acknowledged || recovered > recoveries.sent)
    wrong.push(`received ${recovered} recoveries, not ${recoveries.acknowledged} to ${recoveries.sent}`);
  return wrong.map((problem) => `of ${backupId} at the ${app} app the webhook has ${problem}`);
}
