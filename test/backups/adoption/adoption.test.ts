import { describe, expect, test } from "bun:test";
import { createAdoption } from "../../../src/backups/adoption/adoption.ts";
import { ServiceError } from "../../../src/errors.ts";
import { createBackground } from "../../../src/runtime/background.ts";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { currentRequest } from "../../../src/runtime/current-request.ts";
import type { BlobStore, FactorRef, RecordStore } from "../../../src/storage/contract.ts";
import { replaced } from "../../support/store-wrappers.ts";

const factor = (key: string): FactorRef => ({ scope: "MAIN", key });
const from = (client: string, ask: () => Promise<boolean>) =>
  currentRequest.run({ id: "r", client, app: null, clientApp: null }, ask);

/** What is known here is looked up first. */
const callsAreMade = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Stores of the other service that know nothing, and respond when the test lets them. */
function heldSource() {
  const held: (() => void)[] = [];
  const asked: string[] = [];
  const call = <T>(name: string, result: T) => {
    asked.push(name);
    return new Promise<T>((resolve) => held.push(() => resolve(result)));
  };
  return {
    asked,
    inFlight: () => held.length,
    /** Lets the calls that are in flight respond, and those that come then. */
    async release() {
      while (held.length > 0) {
        for (const respond of held.splice(0)) respond();
        await callsAreMade();
      }
    },
    source: {
      rows: (factors: readonly FactorRef[]) =>
        call(factors.map(({ key }) => key).join(), new Map<string, never>()),
      metadata: (backupId: string) => call(backupId, null),
      ciphertextPieces: () => Promise.reject(new Error("nothing is there to be read")),
    },
  };
}

/** A store that is not to be called. */
const untouched = new Proxy({} as RecordStore & BlobStore, {
  get: (_target, name) => () => Promise.reject(new Error(`${String(name)} is not to be called`)),
});

function adoptionOf(source: ReturnType<typeof heldSource>["source"]) {
  return createAdoption({
    source,
    issuers: { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" },
    records: replaced<RecordStore>(untouched, {
      isConsumed: async () => false,
      readDeleted: async () => [],
    }),
    blobs: untouched,
    clock: systemClock,
    random: systemRandom,
    background: createBackground({ error: () => {} }),
    reports: { adopted() {}, failed() {} },
  });
}

describe("the lookups of unknown keys", () => {
  test("that are equal share one call, and later ones ask again", async () => {
    const other = heldSource();
    const adoption = adoptionOf(other.source);
    for (const ask of [
      () => adoption.ofFactors([factor("k")]),
      () => adoption.ofBackup(`backup_account_${"0".repeat(66)}`),
    ]) {
      other.asked.length = 0;
      const lookups = Array.from({ length: 100 }, (_, index) => from(`client ${index}`, ask));
      await callsAreMade();
      expect(other.asked).toHaveLength(1);
      await other.release();
      expect(new Set(await Promise.all(lookups))).toEqual(new Set([false]));
      const again = ask();
      await callsAreMade();
      expect(other.asked).toHaveLength(2);
      await other.release();
      expect(await again).toBe(false);
    }
  });

  test("of one client take a share of those at a time, and its others wait or are refused", async () => {
    const other = heldSource();
    const adoption = adoptionOf(other.source);
    const flood = Array.from({ length: 400 }, (_, index) =>
      from("hostile", () => adoption.ofFactors([factor(`invented ${index}`)])),
    );
    const results = Promise.allSettled(flood);
    expect(other.inFlight()).toBe(24);
    const neighbour = from("neighbour", () => adoption.ofFactors([factor("own")]));
    expect(other.asked).toContain("own");
    await other.release();
    expect(await neighbour).toBe(false);
    const refused = (await results).flatMap((result) =>
      result.status === "rejected" ? [result.reason] : [],
    );
    expect(refused).toHaveLength(400 - 24 - 256);
    for (const error of refused)
      expect([error instanceof ServiceError, error.code]).toEqual([true, "service_unavailable"]);
  });

  test("of one client that wait keep nobody from the same keys", async () => {
    const other = heldSource();
    const adoption = adoptionOf(other.source);
    const asks = [
      () => adoption.ofFactors([factor("wanted")]),
      () => adoption.ofBackup(`backup_account_${"0".repeat(66)}`),
    ];
    const flood = Array.from({ length: 24 }, (_, index) =>
      from("hostile", () => adoption.ofFactors([factor(`invented ${index}`)])),
    );
    flood.push(...asks.map((ask) => from("hostile", ask)));
    await callsAreMade();
    expect(other.inFlight()).toBe(24);
    const neighbours = asks.map((ask) => from("neighbour", ask));
    await callsAreMade();
    expect(other.inFlight()).toBe(24 + asks.length);
    await other.release();
    expect(new Set(await Promise.all([...flood, ...neighbours]))).toEqual(new Set([false]));
  });

  test("of one client that wait for the same key make one call", async () => {
    const other = heldSource();
    const adoption = adoptionOf(other.source);
    const ask = (key: string) => from("hostile", () => adoption.ofFactors([factor(key)]));
    const lookups = Array.from({ length: 24 }, (_, index) => ask(`invented ${index}`));
    lookups.push(ask("wanted"), ask("wanted"));
    expect(other.asked).not.toContain("wanted");
    await other.release();
    expect(new Set(await Promise.all(lookups))).toEqual(new Set([false]));
    expect(other.asked.filter((key) => key === "wanted")).toHaveLength(1);
  });

  test("of no factor make none", async () => {
    const other = heldSource();
    const none = adoptionOf(other.source).ofFactors([]);
    expect(other.asked).toEqual([]);
    expect(await none).toBe(false);
  });

  test("of many clients are bounded together", async () => {
    const other = heldSource();
    const adoption = adoptionOf(other.source);
    const flood = Array.from({ length: 200 }, (_, index) =>
      from(`client ${index}`, () => adoption.ofFactors([factor(`invented ${index}`)])),
    );
    expect(other.inFlight()).toBe(64);
    await other.release();
    expect(new Set(await Promise.all(flood))).toEqual(new Set([false]));
  });
});
