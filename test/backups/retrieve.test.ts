import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers/promises";
import type { NewBackup } from "../../src/backups/backups.ts";
import { factorRef } from "../../src/backups/model.ts";
import { ServiceError } from "../../src/errors.ts";
import { BlobDamaged } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { codeOf } from "../support/error-of.ts";
import { addVersion } from "../support/history.ts";
import { startService, type TestService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { storedRecord } from "../support/stored.ts";
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

for (const driver of DRIVERS)
  describe(`the content of a recovered backup (${driver.name})`, () => {
    /** Recovers a backup, and acts after its record was read and before its content is opened. */
    async function recoveredAfter(act: (of: { service: TestService; backup: NewBackup }) => Promise<void>) {
      let opened = 0;
      await using service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          records,
          blobs: replaced(blobs, {
            async get(...ref) {
              if (opened++ === 0) await act({ service, backup });
              return blobs.get(...ref);
            },
          }),
        }),
      });
      const { backups } = service.services;
      const backup = newBackup();
      await backups.create(backup);
      const by = { factor: factorRef("MAIN", backup.mainFactor), nonces: [], challengedAtMs: 0 };
      const outcome: unknown = await backups
        .retrieve(by, REQUEST, () => ({
          make: async (open) => (await new Response((await open()).content).bytes()).length,
          async discard() {},
        }))
        .catch((error: unknown) => error);
      return { outcome, opened };
    }

    test("that was replaced meanwhile is the new one", async () => {
      const { outcome, opened } = await recoveredAfter(async ({ service, backup }) => {
        const { stores } = service.services;
        await stores.blobs.delete((await addVersion(stores, backup.backupId)).key);
      });
      expect([outcome, opened]).toEqual([300, 2]);
    });

    test("is not that of another backup, which was created meanwhile in the place of the first", async () => {
      const { outcome, opened } = await recoveredAfter(async ({ service, backup }) => {
        const { stores, backups } = service.services;
        const { blob } = await storedRecord(stores, backup.backupId);
        await backups.reset(backup.backupId, []);
        await service.services.background.settled();
        expect(await stores.blobs.sizeOf(blob.key)).toBeNull();
        await backups.create(backup);
      });
      expect(outcome).toMatchObject({ code: "conflicting_lock" });
      expect(opened).toBe(1);
    });

    test("that is missing is asked for once", async () => {
      const { outcome, opened } = await recoveredAfter(async ({ service, backup }) => {
        const { stores } = service.services;
        await stores.blobs.delete((await storedRecord(stores, backup.backupId)).blob.key);
      });
      expect(outcome).toBeInstanceOf(BlobDamaged);
      expect(opened).toBe(1);
    });
  });
