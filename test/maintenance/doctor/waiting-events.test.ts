import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../../drivers.ts";
import { eventAt } from "../../webhooks/memory-outbox.ts";
import { examined, newStores } from "./examined-stores.ts";

const HOUR_MS = 60 * 60 * 1000;

for (const { name, environment } of DRIVERS)
  describe(`the doctor, while events wait for the webhook (${name})`, () => {
    test("finds those that waited for an hour in which the service ran, and leaves them", async () => {
      await using stores = await newStores(environment);
      const { records, clock } = stores;
      await records.markInstallation("i1");
      const atMs = clock.nowMs();
      const nonce = { id: "n1", expiresAtMs: atMs + HOUR_MS };
      await records.consume([nonce], undefined, [eventAt(atMs), eventAt(atMs + 1)]);
      await records.markSeen(atMs + HOUR_MS - 1);
      clock.advance(30 * HOUR_MS); // the service was stopped meanwhile, or this is a copy
      expect((await examined(stores)).findings).toEqual([]);

      await records.markSeen(atMs + HOUR_MS);
      const { findings } = await examined(stores, { repair: true });
      expect(findings).toMatchObject([
        { kind: "events-not-delivered", backupId: null, blobKey: null, remedy: null, repaired: false },
      ]);
      const since = new Date(atMs).toISOString();
      expect(findings[0]?.detail).toStartWith(`2 events wait, the oldest since ${since}`);
      expect(await records.outbox.backlog()).toEqual({ waiting: 2, oldestMs: atMs });
    });

    test("finds nothing once the webhook has taken them", async () => {
      await using stores = await newStores(environment);
      const { records, clock } = stores;
      await records.markInstallation("i1");
      const nonce = { id: "n1", expiresAtMs: clock.nowMs() + HOUR_MS };
      await records.consume([nonce], undefined, [eventAt(clock.nowMs())]);
      const [queued] = await records.outbox.due(1);
      if (queued === undefined) throw new Error("no event is due");
      await records.outbox.settle(queued);
      await records.markSeen(clock.nowMs() + 2 * HOUR_MS);
      expect((await examined(stores)).findings).toEqual([]);
    });
  });
