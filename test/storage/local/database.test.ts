import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { NewerFormat } from "../../../src/storage/errors.ts";
import { lockMark, MARK } from "../../../src/storage/local/copy/mark.ts";
import { closeDatabase, openDatabase } from "../../../src/storage/local/database.ts";
import { DATABASE } from "../../../src/storage/local/layout.ts";
import { markAsCopy } from "../../../src/storage/local/marks.ts";
import { DRIVERS } from "../../drivers.ts";
import { newLocalStorage } from "../../support/local-storage.ts";

const open = (dataDir: string, serves = true) =>
  openDatabase({ dataDir, busyTimeoutMs: 5_000, serves, clock });

/** SQLite leaves the log to the last that has the database open. */
const LEAVE_LOG = "PRAGMA journal_mode = DELETE";

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("the database", () => {
    test("of a copy is no copy for backup-data any more when a service has opened it", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      const copy = await open(dataDir, false);
      markAsCopy(copy, 1, 0);
      closeDatabase(copy);
      const mark = lockMark(join(dataDir, MARK), true);
      if (!(mark instanceof Database)) throw new Error(`the mark is ${mark}`);
      mark.close();
      (await open(dataDir, false)).close();
      expect(existsSync(join(dataDir, MARK))).toBe(true);
      const database = await open(dataDir);
      expect(existsSync(join(dataDir, MARK))).toBe(false);
      database.close();
    });

    test("that could not be opened is closed", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      const database = await open(dataDir);
      database.run("PRAGMA user_version = 1000");
      database.close();
      await expect(open(dataDir)).rejects.toBeInstanceOf(NewerFormat);
      using alone = new Database(join(dataDir, DATABASE));
      alone.run(LEAVE_LOG); // fails while it is open elsewhere
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
