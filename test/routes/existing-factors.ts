/** What every call by a factor that should be on a backup promises about who that factor is. */

import { describe, expect, test } from "bun:test";
import { factorKeys } from "../../src/storage/contract.ts";
import { createFactorKeypair, type FactorKeypair } from "../support/factor-keypair.ts";
import { addedSyncFactor, type Caller, type FactorCall, proofOf } from "../support/proven-calls.ts";
import type { TestService } from "../support/service.ts";
import { addIndexRow, loseRecord } from "../support/stored.ts";
import { newUser, solved, type User, userWithBackup } from "../support/users.ts";

export function existingFactorContract(service: () => TestService, call: FactorCall): void {
  const { scope } = call;
  const other = scope === "MAIN" ? "SYNC" : "MAIN";

  const prepared = async (user?: User): Promise<Caller> => {
    const { client } = service();
    return call.prepare(client, user ?? (await userWithBackup(client)));
  };
  const send = async (caller: Caller, keypair: FactorKeypair = caller.keypair) =>
    caller.send(await proofOf(service().client, call, { ...caller, keypair }));

  describe(`the factor of ${call.name}`, () => {
    test("that is unknown is untraceable", async () => {
      expect((await send(await prepared(), createFactorKeypair())).code()).toBe("backup_untraceable");
    });

    test(`that is a ${other.toLowerCase()} factor is untraceable`, async () => {
      const caller = await prepared();
      const keypair = scope === "MAIN" ? caller.user.sync : caller.user.main;
      expect((await send(caller, keypair)).code()).toBe("backup_untraceable");
    });

    test("that the index knows and the metadata does not list is not authorised", async () => {
      const caller = await prepared();
      const stranger = createFactorKeypair();
      await claim(caller.user.account.backupAccountId, stranger);
      expect((await send(caller, stranger)).code()).toBe("unauthorized_factor");
    });

    test(`that the metadata lists as a ${other.toLowerCase()} factor only is not authorised`, async () => {
      const caller = await prepared();
      const keypair = scope === "MAIN" ? caller.user.sync : caller.user.main;
      await claim(caller.user.account.backupAccountId, keypair);
      expect((await send(caller, keypair)).code()).toBe("unauthorized_factor");
    });

    test("that leads to a backup which is gone is refused", async () => {
      const caller = await prepared();
      await loseRecord(service().services, caller.user.account.backupAccountId);
      expect((await send(caller)).code()).toBe("backup_missing");
    });

    test("of another backup does not reach this one", async () => {
      const { client } = service();
      const [mine, theirs] = [await prepared(), await userWithBackup(client)];
      const answer = await send(mine, scope === "MAIN" ? theirs.main : theirs.sync);
      expect(JSON.stringify(answer.body)).not.toContain(mine.user.account.backupAccountId);
    });
  });

  describe(`a replay of ${call.name}`, () => {
    const used = async () => {
      const caller = await prepared();
      const proof = await proofOf(service().client, call, caller);
      expect((await caller.send(proof)).status).toBeLessThan(300);
      return { caller, proof };
    };
    const changes: readonly (readonly [name: string, change: (caller: Caller) => Promise<void>])[] = [
      ["at once", async () => {}],
      ["after the backup was deleted", async ({ user }) => void (await deleted(user))],
      [
        "after the backup was created again with the same factors",
        async ({ user }) => {
          await deleted(user);
          await userWithBackup(service().client, user);
        },
      ],
      [
        "after the factor moved to another backup",
        async ({ user }) => {
          await deleted(user);
          await userWithBackup(service().client, { ...newUser(), main: user.main, sync: user.sync });
        },
      ],
      [
        "after the record was lost",
        async ({ user }) => {
          const { backupAccountId } = user.account;
          const { services } = service();
          if ((await services.records.read(backupAccountId)) !== null)
            await loseRecord(services, backupAccountId);
        },
      ],
    ];
    for (const [name, change] of changes)
      test(`${name} is refused as used`, async () => {
        const { caller, proof } = await used();
        await change(caller);
        expect((await caller.send(proof)).code()).toBe("already_used");
      });

    test("with other members in the request is refused as used", async () => {
      const { caller, proof } = await used();
      const authorization = { ...(proof.authorization as object), more: 1 };
      expect((await caller.send({ ...proof, authorization })).code()).toBe("already_used");
    });

    if (scope === "SYNC" && call.name !== "delete-backup")
      test("after the factor was revoked is refused as used", async () => {
        const { client } = service();
        const { caller, proof } = await used();
        const phone = createFactorKeypair();
        await addedSyncFactor(client, caller.user, phone);
        const { syncFactors } = (
          await client.retrieveMetadata(await solved(client, "retrieve-metadata", phone))
        ).ok();
        const factorId = syncFactors[0]?.id ?? "";
        const removal = await solved(client, "delete-factor", phone, { factorId });
        (await client.deleteFactor({ ...removal, factorId, scope: "SYNC" })).ok();

        expect((await caller.send(proof)).code()).toBe("already_used");
        expect((await send(caller)).code()).toBe("backup_untraceable");
      });
  });

  function claim(backupId: string, { publicKey }: FactorKeypair): Promise<void> {
    return addIndexRow(service().services, backupId, { scope, key: factorKeys.ecKeypair(publicKey) });
  }

  async function deleted(user: User): Promise<void> {
    const { client } = service();
    const answer = await client.deleteBackup(await solved(client, "delete-backup", user.sync));
    expect(answer.status).toBe(204); // also where the call had deleted it itself
  }
}
