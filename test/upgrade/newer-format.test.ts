/** What a newer version has stored is neither read nor changed, by the service and by every command. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { systemRandom } from "../../src/runtime/clock.ts";
import { version } from "../../src/runtime/version.ts";
import { runCommand } from "../cli/run-command.ts";
import { DRIVERS, type DriverName, type TestStorage } from "../drivers.ts";
import { newLegacyStores } from "../support/legacy-stores.ts";
import { legacyUser } from "../support/legacy-users.ts";
import { startService } from "../support/service.ts";
import { runProcess } from "../support/service-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { recovered, userWithBackup } from "../support/users.ts";
import { dumpableStorage } from "./fixture.ts";

const NEWER = 99;
const MADE_BY = "9.8.7";
const KNOWN = { local: 3, aws: 1 };

function messageOf(driver: DriverName, madeBy: string | null): string {
  const what = driver === "local" ? "the database" : "what DynamoDB and S3 have";
  const by = madeBy === null ? "a newer version of the service" : `version ${madeBy} of the service`;
  return (
    `${what} has format ${NEWER}, made by ${by}. ` +
    `This is version ${version}, which knows formats up to ${KNOWN[driver]}: ` +
    `start ${madeBy ?? "that version"} or a newer one, or restore a copy from before the update`
  );
}

/** Makes the storage one that a newer version has changed, or the one it was. */
async function setFormat(driver: DriverName, { env }: TestStorage, format: number, madeBy: string | null) {
  if (driver === "local") {
    using database = new Database(join(env.DATA_DIR ?? "", "records.sqlite"), { readwrite: true });
    database.run(`PRAGMA user_version = ${format}`);
    database.run("DELETE FROM marks WHERE name = 'migrated-by'");
    if (madeBy !== null) database.run("INSERT INTO marks VALUES ('migrated-by', ?)", [madeBy]);
    return;
  }
  const client = new DynamoDBClient({
    region: env.AWS_REGION ?? "",
    endpoint: env.AWS_ENDPOINT_URL_DYNAMODB ?? "",
  });
  const values = { ":layout": { N: `${format}` }, ...(madeBy !== null && { ":by": { S: madeBy } }) };
  await client.send(
    new UpdateItemCommand({
      TableName: env.DYNAMODB_TABLE_BACKUPS,
      Key: { BackupId: { S: "#installation" } },
      UpdateExpression: `SET Layout = :layout${madeBy === null ? " REMOVE LayoutBy" : ", LayoutBy = :by"}`,
      ExpressionAttributeValues: values,
    }),
  );
  client.destroy();
}

for (const driver of DRIVERS)
  describe(`what a newer version has stored on ${driver.name}`, () => {
    test("is refused by the service and by every command, which say what to start, and stays as it is", async () => {
      const { storage, dump } = await dumpableStorage(driver.name);
      await using _storage = storage;
      await using legacy = await newLegacyStores();
      await using folder = await temporaryFolder();
      await legacy.add(legacyUser());
      const before = await startService(driver, { storage });
      const user = await userWithBackup(before.client);
      await before.services.background.settled();
      await before[Symbol.asyncDispose]();

      for (const madeBy of [MADE_BY, null]) {
        await setFormat(driver.name, storage, NEWER, madeBy);
        const stored = await dump();
        const other = await legacy.contents();
        const message = messageOf(driver.name, madeBy);
        const { exitCode, stderr } = await runProcess({ APP_ENV: "development", ...storage.env });
        expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: `Cannot start: ${message}\n` });
        const env = { ...legacy.env, ...storage.env };
        const { backupAccountId } = user.account;
        const target = join(folder.path, "copy");
        const commands = [
          ["doctor"],
          ["doctor", "--repair"],
          ["doctor", "--restored"],
          ["inspect", backupAccountId],
          ["inspect", backupAccountId, "--undelete"],
          ["import", ...legacy.args],
          ["import", ...legacy.args, "--dry-run"],
          ["import", ...legacy.args, "--verify"],
          ["export", ...legacy.args, "--replace"],
          ...(driver.name === "local" ? [["backup-data", target]] : []),
        ] as const;
        for (const [name, ...args] of commands) {
          const { status, output, errors } = await runCommand(name, env, ...args);
          expect({ name, status, output }).toEqual({ name, status: 2, output: "" });
          expect(errors).toContain(message);
        }
        expect(await dump()).toEqual(stored);
        expect(await legacy.contents()).toEqual(other);
        expect(await Bun.file(join(target, ".backup-data")).exists()).toBe(false);
      }

      await setFormat(driver.name, storage, KNOWN[driver.name], null);
      await using after = await startService(driver, { storage });
      expect((await recovered(after.client, user)).backup).toBe(Buffer.from(user.backup).toString("base64"));
    });
  });

test("a new database says which version made its schema", async () => {
  const { storage } = await dumpableStorage("local");
  await using _storage = storage;
  const stores = await storage.open({ clock: { nowMs: () => 0, elapsedMs: () => 0 }, random: systemRandom });
  await stores[Symbol.asyncDispose]();
  using database = new Database(join(storage.env.DATA_DIR ?? "", "records.sqlite"), { readonly: true });
  expect(database.query("SELECT value FROM marks WHERE name = 'migrated-by'").get()).toEqual({
    value: version,
  });
});
