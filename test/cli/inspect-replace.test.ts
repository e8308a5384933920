/** A deleted backup is brought back although its id is in use: by a thief, or by its owner who began again. */
import { describe, expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { deletedOf } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { examined } from "../maintenance/doctor/examined-stores.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  created,
  createPayloadOf,
  type FactorUser,
  newFactorUser,
  newKeypair,
  proven,
  recoveredBy,
} from "../support/factors.ts";
import { startService, type TestService } from "../support/service.ts";
import { randomBytes, replacedContent, solved } from "../support/users.ts";
import { runCommand } from "./run-command.ts";

for (const driver of DRIVERS)
  describe(`bun run inspect --undelete --replace on ${driver.name}`, () => {
    /** A user whose backup was deleted by the phone, and what has its id now. */
    async function robbed(change: Partial<FactorUser>) {
      const service = await startService(driver);
      const { client, clock, services } = service;
      clock.set(Date.now());
      const { user } = await replacedContent(client, await created(client, newKeypair()));
      await deleteIt(service, user);
      const { account } = user;
      const [{ deletionId = "" } = {}] = await deletedOf(services.records, account.backupAccountId);
      const squatter = { ...newFactorUser(newKeypair()), account, ...change };
      (await client.create(await createPayloadOf(client, squatter), squatter.backup)).ok();
      return { service, user, squatter, deletionId, id: account.backupAccountId };
    }

    async function deleteIt({ client }: TestService, { sync }: Pick<FactorUser, "sync">) {
      (await client.deleteBackup(await solved(client, "delete-backup", sync))).ok();
    }

    async function inspected({ storage }: TestService, env: Record<string, string>, ...args: string[]) {
      const { status, output } = await runCommand("inspect", { ...storage.env, ...env }, ...args, "--json");
      return { status, document: JSON.parse(output) };
    }

    test("sets aside what has the id, so that either can come back", async () => {
      const { service, user, squatter, deletionId, id } = await robbed({});
      await using _service = service;
      const { client, services, storage, clock } = service;
      const rehearsed = await inspected(service, {}, id, "--undelete", deletionId, "--replace", "--dry-run");
      expect(rehearsed).toMatchObject({ status: 0, document: { change: { refused: null } } });
      expect((await recoveredBy(client, squatter.main)).metadata.manifestHash).toBe(squatter.manifestHash);

      const done = await inspected(service, {}, id, "--undelete", deletionId, "--replace");
      expect(done.status).toBe(0);
      expect(done.document.change).toEqual({
        change: "undelete",
        id: deletionId,
        dryRun: false,
        refused: null,
      });
      const { backup, metadata } = await recoveredBy(client, user.main);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      expect({ versions: metadata.versions.length, syncFactors: metadata.syncFactors }).toEqual({
        versions: 1,
        syncFactors: [],
      });
      const refused = await client.retrieve(await proven(client, "retrieve", squatter.main));
      expect(refused.code()).toBe("backup_untraceable");
      const kinds = done.document.events.map((event: { kind: string }) => event.kind);
      expect(kinds.toSorted()).toEqual([
        "CREATED",
        "CREATED",
        "DELETED",
        "DELETED",
        "RECOVERED",
        "UNDELETED",
      ]);

      await using stores = await storage.open({ clock, random: systemRandom });
      expect((await examined({ ...stores, clock }, { verify: true })).findings).toEqual([]);
      const [aside] = await deletedOf(services.records, id);
      expect(aside?.deletedBy).toBeNull();
      const back = await inspected(service, {}, id, "--undelete", aside?.deletionId ?? "", "--replace");
      expect(back.status).toBe(0);
      const again = await recoveredBy(client, squatter.main);
      expect(again.metadata.manifestHash).toBe(squatter.manifestHash);
      expect(again.metadata.syncFactors).toHaveLength(1);
      expect((await examined({ ...stores, clock }, { verify: true })).findings).toEqual([]);
    });

    test("keeps the index rows of factors that both have", async () => {
      const main = newKeypair();
      const { service, user, squatter, deletionId, id } = await robbed({ main, sync: createFactorKeypair() });
      await using _service = service;
      const { client, storage, clock } = service;
      await deleteIt(service, squatter);
      const both = { ...newFactorUser(user.main), account: user.account, backup: randomBytes(70) };
      (await client.create(await createPayloadOf(client, both), both.backup)).ok();
      expect((await inspected(service, {}, id, "--undelete", deletionId, "--replace")).status).toBe(0);
      const { backup } = await recoveredBy(client, user.main);
      expect(Buffer.from(backup, "base64")).toEqual(Buffer.from(user.backup));
      await using stores = await storage.open({ clock, random: systemRandom });
      expect((await examined({ ...stores, clock })).findings).toEqual([]);
    });

    test("is refused where what has the id could not be kept, or a factor is on another backup", async () => {
      const { service, user, squatter, deletionId, id } = await robbed({});
      await using _service = service;
      const { client } = service;
      const args = [id, "--undelete", deletionId, "--replace"];
      const lost = await inspected(service, { DELETED_KEEP_DAYS: "0" }, ...args);
      expect(lost).toMatchObject({
        status: 1,
        document: { change: { refused: expect.stringMatching("lost") } },
      });
      const elsewhere = newFactorUser(user.main);
      (await client.create(await createPayloadOf(client, elsewhere), elsewhere.backup)).ok();
      for (const dryRun of [[], ["--dry-run"]]) {
        const { document } = await inspected(service, {}, ...args, ...dryRun);
        expect(document.change.refused).toBe("The factor is used by a backup already");
      }
      expect((await recoveredBy(client, squatter.main)).metadata.manifestHash).toBe(squatter.manifestHash);
    });
  });
