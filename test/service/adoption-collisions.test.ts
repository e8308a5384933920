/** Ids and factors that are in use here and in the other service. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { DRIVERS } from "../drivers.ts";
import { adoptionWorld } from "../support/adopting-service.ts";
import type { ApiClient } from "../support/api-client.ts";
import { type MainFactor, newKeypair, proven, removeFactor } from "../support/factors.ts";
import { legacyKeypair, legacyUser } from "../support/legacy-users.ts";
import { firstMain, mainFactorIds } from "../support/moved-in-users.ts";
import { startService } from "../support/service.ts";
import { newUser, solved, userWithBackup } from "../support/users.ts";

const verify = async (client: ApiClient, main: MainFactor) =>
  client.verifyFactor(await proven(client, "verify-factor", main));

const loggedId = (backupId: string) => createHash("sha256").update(backupId).digest("hex").slice(0, 16);

for (const driver of DRIVERS)
  describe(`what is in use on both sides, on ${driver.name}`, () => {
    test("an id that was taken here before adoption began stays so, and the log names it", async () => {
      await using world = await adoptionWorld(driver);
      const { storage, clock, legacy } = world;
      const squatter = newUser();
      const owner = legacyUser({ id: squatter.account.backupAccountId });
      await legacy.add(owner);
      await using before = await startService(driver, { storage, clock });
      await userWithBackup(before.client, squatter);
      const { client, services, logged } = await world.start();
      expect((await verify(client, firstMain(owner))).code()).toBe("backup_untraceable");
      expect((await verify(client, newKeypair(squatter.main))).ok().backupId).toBe(owner.id);
      const lines = logged.filter((line) => line.includes(loggedId(owner.id)));
      expect(lines).toEqual([expect.stringContaining("another backup was created here under this id")]);
      expect(await services.metrics.text()).toContain('adoptions_total{outcome="failed"} 1\n');

      (await client.deleteBackup(await solved(client, "delete-backup", squatter.sync))).ok();
      expect((await verify(client, firstMain(owner))).code()).toBe("backup_untraceable");
      expect((await client.backupStatus({ backupId: owner.id })).status).toBe(404);
    });

    test("a factor that was removed here is no failed adoption", async () => {
      await using world = await adoptionWorld(driver);
      const { client, logged } = await world.start();
      const user = legacyUser({ mains: [legacyKeypair(), legacyKeypair()] });
      const [sync] = user.syncs;
      if (sync === undefined) throw new Error("the user has no sync factor");
      await world.legacy.add(user);
      (await removeFactor(client, sync, mainFactorIds(user)[0] ?? "")).ok();
      expect((await verify(client, firstMain(user))).code()).toBe("backup_untraceable");
      expect(logged.join("")).not.toContain("could not be moved in");
    });

    test("a factor that is on a backup here stays on it, and the other one is adopted without it", async () => {
      await using world = await adoptionWorld(driver);
      const { storage, clock, legacy } = world;
      const [own, shared, further] = [newUser(), newKeypair(), newKeypair()];
      const other = legacyUser({ mains: [legacyKeypair(shared), legacyKeypair(further)] });
      await legacy.add(other);
      await using before = await startService(driver, { storage, clock });
      await userWithBackup(before.client, { ...own, main: shared.keypair });
      const { client, logged } = await world.start();
      expect((await verify(client, shared)).ok().backupId).toBe(own.account.backupAccountId);
      expect((await verify(client, further)).ok().backupId).toBe(other.id);
      expect((await verify(client, shared)).ok().backupId).toBe(own.account.backupAccountId);
      const lines = logged.filter((line) => line.includes(loggedId(other.id)));
      expect(lines).toEqual([expect.stringContaining('"lost":1')]);
    });
  });
