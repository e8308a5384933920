/** A proof that is used by another request at the very moment it is looked up: before the factor is, after the proof. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { created, newPasskey, proven } from "../support/factors.ts";
import { startService } from "../support/service.ts";
import { replaced } from "../support/store-wrappers.ts";
import { solved, type User, userWithBackup } from "../support/users.ts";

type Send = () => Promise<ApiResponse<unknown>>;

for (const driver of DRIVERS)
  describe(`a proof that is used while it is looked up (${driver.name})`, () => {
    async function startTorn() {
      let meanwhile: (() => Promise<void>) | null = null;
      const service = await startService(driver, {
        wrapStores: ({ records, blobs }) => ({
          blobs,
          records: replaced(records, {
            async locate(factor, nonces) {
              const act = meanwhile;
              if (act === null) return records.locate(factor, nonces);
              meanwhile = null;
              const consumed = await records.isConsumed(nonces);
              await act();
              const { backupId } = await records.locate(factor, []);
              return { backupId, consumed };
            },
          }),
        }),
      });
      /** Sends a request; while its proof is looked up, sends it once more and takes the backup away. */
      async function sendTorn(send: Send, takeAway: Send | null): Promise<ApiResponse<unknown>> {
        meanwhile = async () => {
          (await send()).ok();
          if (takeAway !== null) (await takeAway()).ok();
        };
        return send();
      }
      return { service, client: service.client, sendTorn };
    }

    const deleting = (client: ApiClient, user: Pick<User, "sync">): Send => {
      const proof = solved(client, "delete-backup", user.sync);
      return async () => client.deleteBackup(await proof);
    };

    test("is reported as used when it deleted the backup itself", async () => {
      const { service, client, sendTorn } = await startTorn();
      await using _ = service;
      const user = await userWithBackup(client);
      expect((await sendTorn(deleting(client, user), null)).code()).toBe("already_used");
    });

    test("is reported as used when the backup was deleted afterwards", async () => {
      const { service, client, sendTorn } = await startTorn();
      await using _ = service;
      const user = await userWithBackup(client);
      const proof = await solved(client, "retrieve-metadata", user.sync);
      const answer = await sendTorn(() => client.retrieveMetadata(proof), deleting(client, user));
      expect(answer.code()).toBe("already_used");
    });

    test("is reported as used when it was a passkey's and the backup was deleted afterwards", async () => {
      const { service, client, sendTorn } = await startTorn();
      await using _ = service;
      const user = await created(client, newPasskey());
      const proof = await proven(client, "verify-factor", user.main);
      const answer = await sendTorn(() => client.verifyFactor(proof), deleting(client, user));
      expect(answer.code()).toBe("already_used");
    });
  });
