import { expect, test } from "bun:test";
import { webhookBody } from "../../src/webhooks/body.ts";
import { eventAt } from "./memory-outbox.ts";

test("a body has the type and the time of the event, and the event as the security log shows it", () => {
  const body = { kind: "MAIN_FACTOR_ADDED", actor: null, subject: null, client: null };
  const event = eventAt(Date.UTC(2026, 0, 15, 12, 0, 0, 7), { id: "e1", backupId: "b1", body });
  expect(webhookBody(event)).toBe(
    '{"type":"backup.main.factor.added","timestamp":"2026-01-15T12:00:00.007Z",' +
      '"data":{"backupId":"b1","event":{"id":"e1","at":1768478400,"kind":"MAIN_FACTOR_ADDED",' +
      '"actor":null,"subject":null,"client":null}}}',
  );
});

test("kinds that were added later are posted too", () => {
  expect(webhookBody(eventAt(0, { body: { kind: "OF_TOMORROW" } }))).toContain('"type":"backup.of.tomorrow"');
});
