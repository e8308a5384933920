import { describe, expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS, type TestStorage } from "../drivers.ts";
import { TEST_CHALLENGE_TOKEN_KEYS } from "../support/service.ts";
import { startProcess } from "../support/service-process.ts";
import { eventAt } from "../webhooks/memory-outbox.ts";
import { startReceiver } from "../webhooks/receivers.ts";

function environment(storage: TestStorage, WEBHOOK_URL: string) {
  const WEBHOOK_SECRETS = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
  return {
    APP_ENV: "development",
    CHALLENGE_TOKEN_KEYS: TEST_CHALLENGE_TOKEN_KEYS,
    WEBHOOK_URL,
    WEBHOOK_SECRETS,
    ...storage.env,
  };
}

/** Stores an event as another process would, which does not deliver it. */
async function storeEvent(storage: TestStorage): Promise<string> {
  await using stores = await storage.open({ clock: systemClock, random: systemRandom });
  const event = eventAt(Date.now());
  const nonce = { id: `nonce of ${event.id}`, expiresAtMs: event.atMs + 60_000 };
  await stores.records.consume([nonce], undefined, [event]);
  return event.id;
}

for (const driver of DRIVERS)
  describe(`a process that delivers an event (${driver.name})`, () => {
    test.each(["SIGKILL", "SIGTERM"] as const)(
      "and is ended by %s while the webhook takes its time leaves it to the next process",
      async (signal) => {
        await using storage = await driver.environment();
        let takesIt = false;
        await using receiver = startReceiver(() => (takesIt ? new Response() : new Promise(() => {})));
        const env = environment(storage, receiver.url);
        const id = await storeEvent(storage);

        await using first = await startProcess(env);
        await receiver.arrived(1);
        first.signal(signal);
        expect(await first.exited).toBe(signal === "SIGTERM" ? 0 : null);

        takesIt = true;
        await using _next = await startProcess(env);
        await receiver.arrived(2);
        expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([id, id]);
      },
    );
  });
