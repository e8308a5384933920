import { Database } from "bun:sqlite";
import { describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { isUnchanged, StorageUnavailable } from "../../../src/storage/contract.ts";
import { GroupCommit } from "../../../src/storage/local/group-commit.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

function fixture() {
  const database = new Database(":memory:", { strict: true });
  database.run("CREATE TABLE notes (text TEXT PRIMARY KEY) STRICT");
  const notes = () =>
    database
      .query<{ text: string }, []>("SELECT text FROM notes ORDER BY text")
      .all()
      .map(({ text }) => text);
  const insert = (text: string) => database.run("INSERT INTO notes VALUES (?)", [text]);
  return { database, notes, insert, writes: new GroupCommit(database, 1_000) };
}

const outage = () => Object.assign(new Error("disk full"), { code: "SQLITE_FULL" });

describe("a group of writes", () => {
  test("is made in one transaction, each write seeing those before it", async () => {
    const { database, notes, insert, writes } = fixture();
    let seen: string[] = [];
    const first = writes.add(() => insert("a"));
    const second = writes.add(() => {
      seen = notes();
      return database.inTransaction;
    });
    expect(database.inTransaction).toBe(false);
    await first;
    expect(await second).toBe(true);
    expect(seen).toEqual(["a"]);
  });

  test("loses only the write that fails, and all of that one", async () => {
    const { notes, insert, writes } = fixture();
    const results = await Promise.allSettled([
      writes.add(() => insert("a")),
      writes.add(() => {
        insert("b");
        throw new Error("wrong");
      }),
      writes.add(() => insert("c")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(notes()).toEqual(["a", "c"]);
  });

  test("is lost as a whole when the disk cannot be written, and every caller gets the error", async () => {
    const { notes, insert, writes } = fixture();
    let attempts = 0;
    const results = await Promise.allSettled([
      writes.add(() => insert("a")),
      writes.add(() => {
        attempts++;
        throw outage();
      }),
      writes.add(() => insert("c")),
    ]);
    for (const result of results)
      expect(result.status === "rejected" && result.reason).toBeInstanceOf(StorageUnavailable);
    expect(attempts).toBe(1);
    expect(notes()).toEqual([]);
    await writes.add(() => insert("d"));
    expect(notes()).toEqual(["d"]);
  });

  test("leaves nothing in a database that is full, says so, and is made when there is room again", async () => {
    await using folder = await temporaryFolder();
    using database = new Database(join(folder.path, "notes.sqlite"), { strict: true });
    database.run("PRAGMA journal_mode = WAL");
    database.run("CREATE TABLE notes (text TEXT PRIMARY KEY) STRICT");
    const writes = new GroupCommit(database, 1_000);
    const insert = (text: string) => writes.add(() => database.run("INSERT INTO notes VALUES (?)", [text]));
    await insert("before");
    database.run("PRAGMA max_page_count = 3");
    const results = await Promise.allSettled([insert("small"), insert("large".repeat(10_000))]);
    for (const result of results) {
      if (result.status === "fulfilled") throw new Error("it was written");
      expect(result.reason).toBeInstanceOf(StorageUnavailable);
      expect(isUnchanged(result.reason)).toBe(true);
    }
    const texts = () => database.query("SELECT text FROM notes").values().flat();
    expect(texts()).toEqual(["before"]);
    database.run("PRAGMA max_page_count = 1000000");
    await insert("after");
    expect(texts()).toEqual(["before", "after"]);
  });

  test("may have been made when the log could not be synced", async () => {
    const { writes } = fixture();
    const failure = Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_FSYNC" });
    const outcome: unknown = await writes
      .add(() => {
        throw failure;
      })
      .catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(StorageUnavailable);
    expect(isUnchanged(outcome)).toBe(false);
  });

  test("is lost as a whole when SQLite undoes all of it for one of them, and nothing is written outside", async () => {
    const { database, notes, insert, writes } = fixture();
    const results = await Promise.allSettled([
      writes.add(() => insert("a")),
      writes.add(() => database.run("INSERT OR ROLLBACK INTO notes VALUES ('a')")),
      writes.add(() => insert("c")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect([notes(), database.inTransaction]).toEqual([[], false]);
    await writes.add(() => insert("d"));
    expect(notes()).toEqual(["d"]);
  });

  test("has those that come within some iterations of the event loop", async () => {
    const { database, insert } = fixture();
    const writes = new GroupCommit(database, 1_000, 60_000);
    const count = () => database.query<{ n: number }, []>("SELECT count(*) AS n FROM notes").get()?.n;
    const first = writes.add(() => insert("a"));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(count()).toBe(0); // not made yet
    const second = writes.add(() => insert("b"));
    const seen = first.then(count);
    await second;
    expect(await seen).toBe(2);
  });

  for (const [passesMs, outcome] of [
    [999, "is made once it has ended"],
    [1_000, "fails when that takes too long, and has changed nothing"],
  ] as const)
    test(`waits for the write of another process, and ${outcome}`, async () => {
      await using folder = await temporaryFolder();
      const path = join(folder.path, "notes.sqlite");
      using other = new Database(path);
      other.run("PRAGMA journal_mode = WAL");
      other.run("CREATE TABLE notes (text TEXT PRIMARY KEY) STRICT");
      using database = new Database(path, { strict: true });
      const writes = new GroupCommit(database, 1_000);
      other.run("BEGIN IMMEDIATE");
      using now = spyOn(performance, "now");
      now.mockReturnValueOnce(500_000); // when it is added
      const added = writes.add(() => database.run("INSERT INTO notes VALUES ('a')"));
      now.mockReturnValueOnce(500_000).mockReturnValueOnce(500_000 + passesMs);
      writes.flush(); // which finds the lock
      other.run("COMMIT");
      const error: unknown = await added.then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error === null || isUnchanged(error)).toBe(true);
      expect(other.query("SELECT text FROM notes").values()).toEqual(error === null ? [["a"]] : []);
      expect(error === null).toBe(passesMs < 1_000);
    });

  test("may be made by the closing of the store while it still waits for others", async () => {
    const { database, insert, writes } = fixture();
    const added = writes.add(() => insert("a"));
    writes.flush();
    database.close();
    await added;
    // longer than it waits: an error would belong to no call, and fail the test
    for (let iteration = 0; iteration < 20; iteration++) await new Promise(setImmediate);
  });

  test("is made at once when the store closes, and not again", async () => {
    const { notes, insert, writes } = fixture();
    let attempts = 0;
    const added = writes.add(() => {
      attempts++;
      insert("a");
    });
    writes.flush();
    expect(notes()).toEqual(["a"]);
    await added;
    writes.flush();
    expect(attempts).toBe(1);
  });
});
