import { describe, expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { startProcess } from "../support/service-process.ts";

for (const driver of DRIVERS)
  describe(`a process on ${driver.name}`, () => {
    test("deletes what was left behind, and logs how much that was", async () => {
      await using storage = await driver.environment();
      await using stores = await storage.open({ clock: systemClock, random: systemRandom });
      const { records, blobs } = stores;
      const left = await blobs.put("b", [new Uint8Array(10)]);
      const collect = { blobs: [left], logIds: [] };
      await records.commit({ backupId: "b", expect: "absent", next: null, collect });

      await using running = await startProcess({ APP_ENV: "development", ...storage.env });
      const logged = () => running.lines.find((line) => JSON.parse(line).collected === 1);
      while (logged() === undefined) await Bun.sleep(10); // the test runner's limit ends it
      expect(await blobs.sizeOf(left.key)).toBeNull();
      running.signal("SIGTERM");
      expect(await running.exited).toBe(0);
    });
  });
