import { webhookBody } from "./body.ts";
import type { Webhooks } from "./webhooks.ts";

/** For development: prints what would be posted of each event, a line each. */
export function printEvents(log: { info(message: string): void }): Webhooks {
  return {
    announce(events) {
      for (const event of events)
        log.info(`the webhook would get this event if WEBHOOK_URL were set: ${webhookBody(event)}`);
    },
    async stop() {},
  };
}
