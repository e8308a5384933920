import { describe, expect, test } from "bun:test";
import { createEventFactory, type EventContext, listedEventFactor } from "../../src/backups/events.ts";
import { factorRef } from "../../src/backups/model.ts";
import { systemRandom as random } from "../../src/runtime/clock.ts";

const KEEP_MS = 1_000;
const NOW_MS = 5_000;
const of: EventContext = { backupId: "b", logId: "log", actor: null };

const factory = (isDelivered: boolean) =>
  createEventFactory({ clock: { nowMs: () => NOW_MS }, random, keepMs: KEEP_MS, isDelivered });

describe("an event", () => {
  test("without factors, outside a request, says so, and is in its log for a while", () => {
    const [event] = factory(false).create(of, [{ kind: "RESET" }]);
    expect(event).toEqual({
      id: expect.any(String),
      backupId: "b",
      logId: "log",
      atMs: NOW_MS,
      expiresAtMs: NOW_MS + KEEP_MS,
      deliverFromMs: null,
      body: { kind: "RESET", actor: null, subject: null, client: null },
    });
  });

  test("is delivered where events are: at once, or when it is held back no longer", () => {
    for (const heldMs of [0, 70])
      expect(factory(true).create(of, [{ kind: "RESET" }], heldMs)).toMatchObject([
        { deliverFromMs: NOW_MS + heldMs },
      ]);
    expect(factory(true).create(of, [{ kind: "RESET" }])).toMatchObject([{ deliverFromMs: NOW_MS }]);
    expect(factory(false).create(of, [{ kind: "RESET" }], 70)).toMatchObject([{ deliverFromMs: null }]);
  });

  test("names the factors that it is of", () => {
    const actor = { factorId: "a", kind: "PASSKEY", scope: "MAIN" } as const;
    const subject = { factorId: "s", kind: "EC_KEYPAIR", scope: "SYNC" } as const;
    const events = factory(false).create({ ...of, actor }, [{ kind: "SYNC_FACTOR_REMOVED", subject }]);
    expect(events).toMatchObject([{ body: { actor, subject } }]);
  });

  test("names a factor that the metadata lists, and no other", () => {
    const kind = { kind: "EC_KEYPAIR", publicKey: "key" } as const;
    const metadata = { id: "b", manifestHash: "00", keys: [], factors: [], syncFactors: [], logId: "log" };
    const listing = { ...metadata, factors: [{ id: "f", createdAt: 0, kind }] };
    const ref = factorRef("MAIN", { kind });
    expect(listedEventFactor(listing, ref)).toEqual({ factorId: "f", kind: "EC_KEYPAIR", scope: "MAIN" });
    expect(listedEventFactor(metadata, ref)).toBeNull();
  });
});
