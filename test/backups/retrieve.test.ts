import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import { factorRef } from "../../src/backups/model.ts";
import { ServiceError } from "../../src/errors.ts";
import { DRIVERS } from "../drivers.ts";
import { codeOf } from "../support/error-of.ts";
import { startService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { newBackup } from "./new-backup.ts";

const REQUEST = { client: "127.0.0.1", versionId: null };

for (const driver of DRIVERS)
  describe(`the delivery of a recovered backup (${driver.name})`, () => {
    test("has been discarded when the recovery fails, and only then", async () => {
      let isOvertaken = false;
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          blobs,
          records: replaced(records, {
            consume: async (...args) => (isOvertaken ? null : records.consume(...args)),
          }),
        }),
      });
      const { backups } = service.services;
      const backup = newBackup();
      await backups.create(backup);
      const discarded: string[] = [];

      function retrieved(name: string, failure: ServiceError | null = null) {
        const nonces = [{ id: name, expiresAtMs: service.clock.nowMs() + 60_000 }];
        const by = { factor: factorRef("MAIN", backup.mainFactor), nonces, challengedAtMs: 0 };
        return backups.retrieve(by, REQUEST, () => ({
          async make(open) {
            const { content } = await open();
            await content.cancel();
            if (failure !== null) throw failure;
            return name;
          },
          async discard() {
            await setImmediate(); // as one that deletes a file
            discarded.push(name);
          },
        }));
      }

      expect(await retrieved("good")).toBe("good");
      const full = new ServiceError("service_unavailable", "the disk is full");
      expect(await codeOf(() => retrieved("full disk", full))).toBe("service_unavailable");
      expect(discarded).toEqual(["full disk"]);
      isOvertaken = true;
      expect(await codeOf(() => retrieved("overtaken"))).toBe("already_used");
      expect(discarded).toEqual(["full disk", "overtaken"]);
    });
  });
