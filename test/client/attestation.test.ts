import { afterAll, describe, expect, test } from "bun:test";
import { accountKey } from "../../src/client/account-key.ts";
import {
  type AttestableRequest,
  AttestationRefusedError,
  createBackupClient,
  keypair,
} from "../../src/client/index.ts";
import type { WireOperation } from "../../src/protocol/operation.ts";
import { operations } from "../../src/protocol/operations.ts";
import { DRIVERS } from "../drivers.ts";
import { AttestationIssuer } from "../support/attestation-issuer.ts";
import { sharedService } from "../support/shared-service.ts";

for (const driver of DRIVERS)
  describe(`the client of a service that requires attestation (${driver.name})`, () => {
    const gateway = new AttestationIssuer({ nowMs: () => service().clock.nowMs() });
    const service = sharedService(driver, { env: { ...gateway.env, ENFORCE_BACKUP_ACCOUNT_PROOF: "true" } });
    afterAll(() => gateway[Symbol.asyncDispose]());

    async function withBackup(attest?: (request: AttestableRequest) => Promise<string>) {
      const client = createBackupClient({
        url: service().url,
        app: { name: "an app", version: "7" },
        ...(attest === undefined ? {} : { attest }),
      });
      const [main, sync, account] = [await keypair(), await keypair(), accountKey()];
      const encryptionKey = { kind: "ICLOUD", encryptedKey: 'with "quotes" / and é' } as const;
      await client.create({ main, sync, account, content: Uint8Array.of(1), encryptionKey });
      return { client, main, sync, account };
    }

    test("attests the requests that need it, by their hash, and no others", async () => {
      const asked: AttestableRequest[] = [];
      const { client, main, sync, account } = await withBackup(async (request) => {
        asked.push(request);
        return gateway.token(request, { claims: { jti: request.requestHash } });
      });
      const { syncFactorToken } = await client.recover(main);
      const young = await keypair();
      await client.addSyncFactor(young, { syncFactorToken });
      await client.verify(main);
      const { syncFactors } = await client.metadata(young);
      await client.removeFactor(young, { factorId: syncFactors[0]?.id ?? "", scope: "SYNC" });
      await client.deleteBackup(young);
      await client.undelete(main, account.backupAccountId);
      const attested = Object.values<WireOperation>(operations).filter((operation) => operation.attested);
      expect(asked.map(({ path }) => path).toSorted()).toEqual(attested.map(({ path }) => path).toSorted());
      const removed = await client.metadata(sync).catch((error: Error) => error.name);
      expect(removed).toBe("UnknownFactorError");
    });

    test("is refused without one", async () => {
      const { client, main } = await withBackup();
      await expect(client.recover(main)).rejects.toBeInstanceOf(AttestationRefusedError);
    });

    test("names the app in the security log", async () => {
      const { client, sync } = await withBackup();
      for await (const event of client.events(sync))
        expect(event.client).toEqual({ name: "an app", version: "7" });
    });
  });
