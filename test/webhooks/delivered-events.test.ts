import { describe, expect, test } from "bun:test";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import type { Event } from "../../src/protocol/event.ts";
import { DRIVERS } from "../drivers.ts";
import { startService, type TestService } from "../support/service.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { recovered, resetRequest, solved, userWithBackup } from "../support/users.ts";
import { eventAt } from "./memory-outbox.ts";
import { type Received, startReceiver } from "./receivers.ts";

interface Posted {
  readonly type: string;
  readonly data: { readonly backupId: string; readonly event: Event };
}

const SECRETS = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`);

function withWebhook(url: string) {
  return {
    env: { APP_ENV: "development", WEBHOOK_URL: url, WEBHOOK_SECRETS: SECRETS.join(",") },
    clock: new SettableClock(Date.now()), // the receiver compares with the time of the machine
  };
}

async function storeEvent({ services, clock }: TestService): Promise<string> {
  const event = eventAt(clock.nowMs());
  const consumed = await services.records.consume(
    [{ id: `nonce of ${event.id}`, expiresAtMs: clock.nowMs() + 60_000 }],
    undefined,
    [event],
  );
  expect(consumed).not.toBeNull();
  return event.id;
}

/** Fails where the receiver would refuse the request. */
function verified({ headers, body }: Received, secret: string | undefined): unknown {
  return new Webhook(secret ?? "").verify(body, headers);
}

function isGenuine(request: Received, secret: string | undefined): boolean {
  try {
    verified(request, secret);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

async function emptied({ services }: TestService): Promise<void> {
  while ((await services.stores.records.outbox.backlog()).waiting > 0)
    await new Promise((resolve) => setImmediate(resolve));
}

for (const driver of DRIVERS)
  describe(`an event that is stored with a write (${driver.name})`, () => {
    test("arrives at the webhook, which can verify it with each secret", async () => {
      await using receiver = startReceiver();
      await using service = await startService(driver, withWebhook(receiver.url));
      const id = await storeEvent(service);
      await receiver.arrived(1);
      const [request] = receiver.received;
      if (request === undefined) throw new Error("no request");
      for (const secret of SECRETS)
        expect(verified(request, secret)).toMatchObject({
          type: "backup.recovered",
          data: { backupId: "b1", event: { id, kind: "RECOVERED" } },
        });
      await emptied(service);
    });

    test("is posted again, under the same id, until the webhook takes it", async () => {
      let status = 503;
      await using receiver = startReceiver(() => new Response(null, { status }));
      await using service = await startService(driver, withWebhook(receiver.url));
      const id = await storeEvent(service);
      await receiver.arrived(1);
      status = 204;
      service.clock.advance(10_000);
      await receiver.arrived(2);
      await emptied(service);
      expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([id, id]);
      expect(receiver.received.every((request) => verified(request, SECRETS[0]) !== null)).toBe(true);
    });

    test("waits for the next process, where this one ends while the webhook takes its time", async () => {
      await using storage = await driver.environment();
      const arrived = Promise.withResolvers<void>();
      await using silent = startReceiver(() => {
        arrived.resolve();
        return new Promise(() => {});
      });
      const first = await startService(driver, { ...withWebhook(silent.url), storage });
      const id = await storeEvent(first);
      await arrived.promise;
      await first[Symbol.asyncDispose]();

      await using receiver = startReceiver();
      await using next = await startService(driver, { ...withWebhook(receiver.url), storage });
      next.clock.advance(10_000);
      await receiver.arrived(1);
      await emptied(next);
      expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([id]);
    });

    test("is delivered by one of two services", async () => {
      await using storage = await driver.environment();
      await using receiver = startReceiver();
      const options = { ...withWebhook(receiver.url), storage };
      await using one = await startService(driver, options);
      await using other = await startService(driver, options);
      const ids = await Promise.all([one, other, one, other, one].map(storeEvent));
      await receiver.arrived(ids.length);
      await Promise.all([one, other].map(emptied));
      const received = receiver.received.map(({ headers }) => headers["webhook-id"] ?? "");
      expect(received.toSorted()).toEqual(ids.toSorted());
    });

    test("is verified at the first attempt through each step of a rotation of the secret", async () => {
      await using storage = await driver.environment();
      const [OLD, NEW] = SECRETS;
      let known = OLD;
      const statuses: number[] = [];
      await using receiver = startReceiver((request) => {
        const status = isGenuine(request, known) ? 204 : 401;
        statuses.push(status);
        return new Response(null, { status });
      });
      const deliver = async (secrets: readonly (string | undefined)[]) => {
        const options = withWebhook(receiver.url);
        const env = { ...options.env, WEBHOOK_SECRETS: secrets.join(",") };
        await using service = await startService(driver, { ...options, env, storage });
        await storeEvent(service);
        await emptied(service);
      };
      await deliver([OLD]);
      await deliver([OLD, NEW]);
      known = NEW;
      await deliver([OLD, NEW]);
      await deliver([NEW]);
      expect(statuses).toEqual([204, 204, 204, 204]);
    });

    test("is what the security log of the backup shows; of a reset it is the only trace", async () => {
      await using receiver = startReceiver();
      await using service = await startService(driver, withWebhook(receiver.url));
      const { client, clock } = service;
      const user = await userWithBackup(client);
      clock.advance(1); // the log has events of one millisecond in any order
      await recovered(client, user);
      const { events } = (await client.listEvents(await solved(client, "events", user.sync))).ok();
      clock.advance(10_000); // a recovery is held back until it cannot fail any more
      await receiver.arrived(2);
      await client.reset(await resetRequest(client, user));
      await receiver.arrived(3);

      const posted: Posted[] = receiver.received.map(({ body }) => JSON.parse(body));
      expect(posted.map(({ type }) => type)).toEqual(["backup.created", "backup.recovered", "backup.reset"]);
      expect(posted.every(({ data }) => data.backupId === user.account.backupAccountId)).toBe(true);
      expect(posted.slice(0, 2).map(({ data }) => data.event)).toEqual(events.toReversed());
      expect(posted[2]?.data.event).toMatchObject({ kind: "RESET", actor: null, subject: null });
      await emptied(service);
    });

    test("is in the metrics while it waits, and the log has neither URL nor secret nor backup", async () => {
      await using receiver = startReceiver(() => new Response(null, { status: 400 }));
      await using service = await startService(driver, withWebhook(`${receiver.url}?hidden`));
      await storeEvent(service);
      await receiver.arrived(1);
      const metrics = async () => (await fetch(`${service.server.metricsUrl}/metrics`)).text();
      while (!(await metrics()).includes('webhook_failed_attempts_total{reason="http_4xx"} 1'));
      expect(await metrics()).toContain("\nwebhook_events_waiting 1\n");
      expect(await metrics()).toMatch(/\nstorage_call_duration_seconds_count\{.*store="outbox",call="claim"/);
      const log = service.logged.join("");
      expect(log).toContain("the webhook did not take an event");
      for (const secret of ["hidden", receiver.url, "whsec_", SECRETS[0]?.slice(6), '"b1"'])
        expect(log).not.toContain(secret ?? "");
    });
  });

test("without a webhook, development prints each event and other environments do nothing", async () => {
  const [driver] = DRIVERS;
  if (driver === undefined) throw new Error("no driver");
  for (const [APP_ENV, printed] of [
    ["development", ["backup.created", "backup.reset"]],
    ["staging", []],
  ] as const) {
    await using service = await startService(driver, { env: { APP_ENV } });
    const user = await userWithBackup(service.client);
    (await service.client.reset(await resetRequest(service.client, user))).ok();
    const types = service.logged.flatMap((line) => /"type\\":\\"(backup[.a-z]+)/.exec(line)?.[1] ?? []);
    expect(types).toEqual([...printed]);
    expect(await service.services.stores.records.outbox.backlog()).toMatchObject({ waiting: 0 });
  }
});
