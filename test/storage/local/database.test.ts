import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { version } from "../../../src/runtime/version.ts";
import { NewerFormat } from "../../../src/storage/errors.ts";
import { lockMark, MARK } from "../../../src/storage/local/copy/mark.ts";
import { closeDatabase, openDatabase } from "../../../src/storage/local/database.ts";
import { DATABASE } from "../../../src/storage/local/layout.ts";
import { copiedAtMsOf, markAsCopy, migratedByOf, nextShareOf } from "../../../src/storage/local/marks.ts";
import { DRIVERS } from "../../drivers.ts";
import { toEarlierSchema } from "../../support/earlier-schema.ts";
import { newLocalStorage } from "../../support/local-storage.ts";

const open = (dataDir: string, serves = true) =>
  openDatabase({ dataDir, busyTimeoutMs: 5_000, serves, clock });

function markFolder(dataDir: string): void {
  const mark = lockMark(join(dataDir, MARK), true);
  if (!(mark instanceof Database)) throw new Error(`the mark is ${mark}`);
  mark.close();
}

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("the database", () => {
    test("of a copy is no copy for backup-data any more when a service has opened it", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      const copy = await open(dataDir, false);
      markAsCopy(copy, 1, 0);
      closeDatabase(copy);
      markFolder(dataDir);
      (await open(dataDir, false)).close();
      expect(existsSync(join(dataDir, MARK))).toBe(true);
      const database = await open(dataDir);
      expect(existsSync(join(dataDir, MARK))).toBe(false);
      database.close();
    });

    for (const [schema, isCopy] of [
      [0, false],
      [1, true],
      [2, false],
      [3, false],
    ] as const)
      test(`with schema ${schema} in a folder that is marked as a copy ${isCopy ? "gets the mark too" : "gets no mark"}`, async () => {
        await using storage = await newLocalStorage();
        const { dataDir } = storage;
        if (schema > 0) {
          const served = await open(dataDir);
          served.run("INSERT INTO backups VALUES ('b1', 'r', 'k', 1, '00', '{}', 7, '[]')");
          served.run("UPDATE marks SET value = '0.0.1' WHERE name = 'migrated-by'");
          served.close();
        }
        if (schema === 1 || schema === 2) toEarlierSchema(dataDir, schema);
        markFolder(dataDir);
        using database = await open(dataDir, false);
        expect([copiedAtMsOf(database), nextShareOf(database)]).toEqual([isCopy ? 7 : null, 0]);
        // it was the later version that made the schema, where there was a step to make
        expect(migratedByOf(database)).toBe(schema === 3 ? "0.0.1" : version);
      });

    test("of an earlier version is no copy in a folder that is not marked as one", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      (await open(dataDir)).close();
      toEarlierSchema(dataDir, 1);
      using database = await open(dataDir, false);
      expect(copiedAtMsOf(database)).toBeNull();
    });

    test("of a copy without a backup, and without a mark, gets the oldest time", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      (await open(dataDir)).close();
      toEarlierSchema(dataDir, 1);
      markFolder(dataDir);
      using database = await open(dataDir, false);
      expect(copiedAtMsOf(database)).toBe(0);
    });

    test("that could not be opened is closed", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      const database = await open(dataDir);
      database.run("PRAGMA user_version = 1000");
      database.close();
      await expect(open(dataDir)).rejects.toBeInstanceOf(NewerFormat);
      using alone = new Database(join(dataDir, DATABASE));
      alone.run("PRAGMA journal_mode = DELETE"); // SQLite refuses that while the database is open elsewhere
    });

    test("is migrated once another process that writes has ended", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      (await open(dataDir)).close();
      toEarlierSchema(dataDir, 2);
      const program = `
        const { Database } = require("bun:sqlite");
        const database = new Database(process.argv.at(-1));
        database.run("BEGIN IMMEDIATE");
        console.log("writes");
        setTimeout(() => database.run("COMMIT"), 300);
      `;
      const writer = Bun.spawn([process.execPath, "-e", program, join(dataDir, DATABASE)], {
        stdout: "pipe",
        stderr: "inherit",
      });
      await writer.stdout.getReader().read();
      using database = await open(dataDir); // blocks this process
      expect(migratedByOf(database)).toBe(version);
      expect(await writer.exited).toBe(0);
    });

    test("that is no copy is closed with its log, as it is when it is killed", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      closeDatabase(await open(dataDir));
      using alone = new Database(join(dataDir, DATABASE));
      expect(alone.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    });

    describe("of a copy", () => {
      test("is closed while another process has it open, which removes the log", async () => {
        await using storage = await newLocalStorage();
        const { dataDir } = storage;
        const first = await open(dataDir, false);
        markAsCopy(first, 1, 0);
        const second = await open(dataDir, false);
        closeDatabase(first);
        closeDatabase(second);
        expect(existsSync(join(dataDir, `${DATABASE}-wal`))).toBe(false);
        using alone = new Database(join(dataDir, DATABASE));
        expect(alone.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "delete" });
      });

      test("is not closed in silence where its log cannot be removed for another reason", async () => {
        await using storage = await newLocalStorage();
        const database = await open(storage.dataDir, false);
        markAsCopy(database, 1, 0);
        database.run("BEGIN");
        expect(() => closeDatabase(database)).toThrow("within a transaction");
        database.close();
      });
    });
  });
