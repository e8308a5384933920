import { describe, expect, test } from "bun:test";
import { InstallationMismatch } from "../../src/maintenance/installation.ts";
import { joinForService } from "../../src/maintenance/joined-installation.ts";
import { createBackground } from "../../src/runtime/background.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { StorageUnavailable } from "../../src/storage/contract.ts";
import type { InspectableStores } from "../../src/storage/inspection.ts";
import { openFixture } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import type { SettableClock } from "../support/settable-clock.ts";
import { replaced } from "../support/store-wrappers.ts";

const HOUR_MS = 60 * 60 * 1000;

async function join(stores: InspectableStores, clock: SettableClock) {
  const failures: unknown[] = [];
  const background = createBackground({ error: ({ err }) => failures.push(err) });
  const onUnavailable = (error: unknown) => failures.push(error);
  const joined = await joinForService(stores, { clock, random: systemRandom, background, onUnavailable });
  return { ...joined, failures };
}

for (const { name, environment } of DRIVERS)
  describe(`the installation of a service on ${name}`, () => {
    test("is joined and in service once the service has started", async () => {
      await using stores = await openFixture(environment);
      const { restores, earliestProofMs, markInService } = await join(stores, stores.clock);
      expect(await stores.records.lastSeenMs()).toBe(stores.clock.nowMs());
      expect([await restores(), await earliestProofMs()]).toEqual([[], 0]);
      stores.clock.advance(HOUR_MS);
      await markInService();
      expect(await stores.blobs.lastSeenMs()).toBe(stores.clock.nowMs());
    });

    test("accepts proofs since a restore; since the start where a restore was found then or lies ahead", async () => {
      await using stores = await openFixture(environment);
      const { records, clock } = stores;
      await join(stores, clock);
      const restoredAtMs = clock.nowMs();
      await records.noteRestore({ copiedAtMs: 0, restoredAtMs });
      clock.advance(HOUR_MS);
      expect(await (await join(stores, clock)).earliestProofMs()).toBe(restoredAtMs);

      await records.noteRestore({ copiedAtMs: 0, restoredAtMs: restoredAtMs + 100 * HOUR_MS });
      const startedAtMs = clock.nowMs();
      const { earliestProofMs } = await join(stores, clock);
      clock.advance(HOUR_MS);
      expect(await earliestProofMs()).toBe(startedAtMs);
      clock.set(startedAtMs - 5 * HOUR_MS); // an hour has passed by a clock that was wrong
      expect(await earliestProofMs()).toBe(startedAtMs - 6 * HOUR_MS);
    });

    test("is joined later where a store does not respond at the start, and is not in service before", async () => {
      await using stores = await openFixture(environment);
      let down = true;
      const blobs = replaced(stores.blobs, {
        async installationId() {
          if (down) throw new StorageUnavailable("down");
          return stores.blobs.installationId();
        },
      });
      const { restores, earliestProofMs, markInService, failures } = await join(
        { ...stores, blobs },
        stores.clock,
      );
      expect(failures).toEqual([expect.any(StorageUnavailable)]);
      await expect(restores()).rejects.toThrow("down");
      await expect(earliestProofMs()).rejects.toThrow("down");
      await markInService();
      expect(await stores.records.lastSeenMs()).toBeNull();
      down = false;
      expect(await restores()).toEqual([]);
      expect(await stores.records.lastSeenMs()).toBe(stores.clock.nowMs());
    });

    test("stops a service whose stores belong to two", async () => {
      await using first = await openFixture(environment);
      await using second = await openFixture(environment);
      for (const stores of [first, second]) await join(stores, stores.clock);
      const mixed = { records: first.records, blobs: second.blobs };
      await expect(join(mixed, first.clock)).rejects.toThrow(InstallationMismatch);
    });
  });
