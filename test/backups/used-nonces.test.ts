/** A request of several proofs reports that any one of them was used before, whatever else is wrong with it. */
import { describe, expect, test } from "bun:test";
import type { NewBackup } from "../../src/backups/backups.ts";
import { factorRef } from "../../src/backups/model.ts";
import { ServiceError } from "../../src/errors.ts";
import type { Consumption } from "../../src/storage/contract.ts";
import { DRIVERS } from "../drivers.ts";
import { codeOf } from "../support/error-of.ts";
import { Interruptions } from "../support/intercepted-stores.ts";
import { startService } from "../support/service.ts";
import { sharedService } from "../support/shared-service.ts";
import { newBackup, newKeypair } from "./new-backup.ts";

const HOUR_MS = 60 * 60 * 1000;

/** A content that the service refuses while it arrives. */
async function* refusedContent(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10);
  throw new ServiceError("invalid_payload", "too much");
}

function required(consumption: Consumption | null): Consumption {
  if (consumption === null) throw new Error("the nonce was consumed before");
  return consumption;
}

for (const driver of DRIVERS)
  describe(`a nonce that was used before is reported (${driver.name})`, () => {
    const service = sharedService(driver);
    const newNonce = () => ({ id: crypto.randomUUID(), expiresAtMs: service().clock.nowMs() + HOUR_MS });

    test("by a creation, whichever proof it is of", async () => {
      const { records, backups } = service().services;
      const of = { account: newNonce(), main: newNonce(), sync: newNonce() };
      const fresh = newBackup();
      const request: NewBackup = {
        ...fresh,
        nonces: [of.account],
        mainFactor: { ...fresh.mainFactor, nonces: [of.main] },
        syncFactor: { ...fresh.syncFactor, nonces: [of.sync] },
        content: refusedContent(),
      };
      expect(await codeOf(() => backups.create(request))).toBe("invalid_payload");
      for (const used of [of.account, of.main, of.sync]) {
        const consumption = required(await records.consume([used]));
        const again = { ...request, content: refusedContent() };
        expect(await codeOf(() => backups.create(again))).toBe("already_used");
        await consumption.release();
      }
    });

    test("by the addition of a factor, whichever proof it is of", async () => {
      const interruptions = new Interruptions();
      await using racing = await startService(driver, interruptions);
      const { records, backups } = racing.services;
      const backup = newBackup();
      await backups.create(backup);
      const own = newNonce();
      const added = newNonce();
      const by = { factor: factorRef("MAIN", backup.mainFactor), nonces: [own], challengedAtMs: 0 };
      const otherKey = { kind: "ICLOUD", encryptedKey: "other" } as const;
      const add = () =>
        codeOf(() => backups.addFactor(by, { kind: newKeypair(), nonces: [added] }, otherKey));
      expect(await add()).toBe("only_one_encryption_key_per_type_allowed");
      for (const used of [own, added]) {
        let consumption: Consumption | null = null;
        interruptions.before("records.read", async () => {
          consumption = await records.consume([used]);
        });
        expect(await add()).toBe("already_used");
        await required(consumption).release();
      }
    });
  });
