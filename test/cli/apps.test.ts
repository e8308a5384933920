/** What operators do in a storage with several apps. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { appsEnv, TWO_APPS, viewOf } from "../support/apps.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { legacyUser } from "../support/legacy-users.ts";
import { startService } from "../support/service.ts";
import { newUser, replacedContent, solved, userWithBackup } from "../support/users.ts";
import { runCommand } from "./run-command.ts";

for (const driver of DRIVERS)
  describe(`commands in a storage with several apps (${driver.name})`, () => {
    test("inspect shows and changes the backup of the app that is named", async () => {
      await using service = await startService(driver, { env: appsEnv(TWO_APPS) });
      service.clock.set(Date.now());
      const env = { ...service.storage.env, ...appsEnv(TWO_APPS) };
      const user = newUser();
      const { backupAccountId: id } = user.account;
      const [first, second] = await Promise.all(
        TWO_APPS.map(({ name, hosts }) => viewOf(service, name, hosts[0])),
      );
      if (first === undefined || second === undefined) throw new Error("there are two apps");
      await userWithBackup(first.client, user);
      const { user: changed } = await replacedContent(
        second.client,
        await userWithBackup(second.client, user),
      );
      const inspect = async (...args: string[]) => {
        const { output, ...ended } = await runCommand("inspect", env, id, "--json", ...args);
        return { ...ended, document: JSON.parse(output) };
      };
      const versionsOf = async (app: string) => (await inspect("--app", app)).document.backup.versions.length;
      expect([await versionsOf("first"), await versionsOf("second")]).toEqual([0, 1]);
      for (const args of [[], ["--app", "third"]])
        expect(await inspect(...args)).toMatchObject({
          status: 2,
          document: { error: expect.stringContaining("--app takes first, second") },
        });

      const { client } = second;
      (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
      const kinds = (document: { events: { kind: string }[] }) => document.events.map(({ kind }) => kind);
      const undeleted = await inspect("--app", "second", "--undelete");
      expect(undeleted).toMatchObject({ status: 0, document: { change: { refused: null } } });
      expect(kinds(undeleted.document)).toContain("UNDELETED");
      expect(kinds((await inspect("--app", "first")).document)).toEqual(["CREATED"]);
      const { metadata } = (await client.retrieve(await solved(client, "retrieve", user.main))).ok();
      expect(metadata.manifestHash).toBe(changed.manifestHash);

      const noApps = await runCommand("inspect", service.storage.env, id, "--app", "first");
      expect([noApps.status, noApps.errors]).toEqual([2, expect.stringContaining("set APPS_FILE")]);
    });

    test("the doctor examines all, and says what is of apps that are not served", async () => {
      await using service = await startService(driver, { env: appsEnv(TWO_APPS) });
      const user = newUser();
      for (const { name, hosts } of TWO_APPS)
        await userWithBackup((await viewOf(service, name, hosts[0])).client, user);
      const { env } = service.storage;
      const all = await runCommand("doctor", { ...env, ...appsEnv(TWO_APPS) }, "--verify");
      expect(all.status).toBe(0);
      expect(all.output).toStartWith("Healthy: checked 2 backups, 4 index rows");
      expect(all.output).not.toContain("kept");
      const alone = await runCommand("doctor", env);
      expect(alone.status).toBe(0);
      expect(alone.output).toContain(
        "Backups of the app second, which is not served here (APPS_FILE): 1. They are kept.",
      );
      const other = { name: "third", hosts: ["third.example"] };
      const json = await runCommand("doctor", { ...env, ...appsEnv([TWO_APPS[1], other]) }, "--json");
      expect(JSON.parse(json.output).summary.counts.ofUnknownApps).toEqual([{ app: null, backups: 1 }]);
    });

    test("the doctor changes nothing where the file of the apps is not valid", async () => {
      await using service = await startService(driver, { env: appsEnv(TWO_APPS) });
      const env = { ...service.storage.env, ...appsEnv([]) };
      const { status, errors } = await runCommand("doctor", env, "--restored");
      expect([status, errors]).toEqual([2, expect.stringContaining("APPS_FILE /apps has no app")]);
      expect(await service.services.stores.records.restores()).toEqual([]);
    });

    test("an import is for one app, and an export has its backups only", async () => {
      await using legacy = await newLegacyStores();
      await using target = await newLegacyStores();
      await using storage = await driver.environment();
      const env = { ...legacy.env, ...storage.env, ...appsEnv(TWO_APPS) };
      const [one, other] = [legacyUser(), legacyUser()];
      await legacy.add(one);
      expect(await runCommand("import", env, ...legacy.args)).toMatchObject({
        status: 2,
        errors: expect.stringContaining("--app takes first, second"),
      });
      const took = { status: 0, output: "Took over 1 backups; 0 were taken over before. No findings.\n" };
      expect(await runCommand("import", env, ...legacy.args, "--app", "second")).toMatchObject(took);
      expect(await runCommand("import", env, ...legacy.args, "--app", "first")).toMatchObject(took);
      await legacy.add(other);
      expect(await runCommand("import", env, ...legacy.args, "--app", "second")).toMatchObject({
        output: "Took over 1 backups; 1 were taken over before. No findings.\n",
      });
      const verified = await runCommand("import", env, ...legacy.args, "--app", "second", "--verify");
      expect(verified).toMatchObject({ status: 0, output: "2 backups are as in the source. No findings.\n" });
      expect(await runCommand("export", env, ...target.args, "--app", "first")).toMatchObject({
        status: 0,
        output: "Wrote 1 backups; 0 were there already. No findings.\n",
      });
      expect(await runCommand("export", env, ...target.args, "--app", "second")).toMatchObject({
        status: 0,
        output: "Wrote 1 backups; 1 were there already. No findings.\n",
      });
      expect(await runCommand("doctor", env)).toMatchObject({
        status: 0,
        output: expect.stringMatching(/^Healthy: checked 3 backups/),
      });
    });
  });
