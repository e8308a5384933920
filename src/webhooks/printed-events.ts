import { webhookBody } from "./body.ts";
import type { Webhooks } from "./webhooks.ts";

/** For development: prints what would be posted of each event, a line each. @param unscoped as for {@link webhookBody}. */
export function printEvents(log: { info(message: string): void }, unscoped: string | null = null): Webhooks {
  return {
    announce(events) {
      for (const event of events)
        log.info(`the webhook would get this event if WEBHOOK_URL were set: ${webhookBody(event, unscoped)}`);
    },
    async stop() {},
  };
}
