/** What only the local driver does with its folder: modes, temporary files, schema versions. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../src/runtime/clock.ts";
import { BlobDamaged, StorageUnavailable } from "../../src/storage/contract.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { MARK } from "../../src/storage/local/copy/mark.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { DRIVERS } from "../drivers.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { openFilesIn } from "../support/temporary-folder.ts";
import { contentOf } from "./blobs.ts";
import { collect, create, labelOf, main, openFixture, record } from "./fixture.ts";

const clock = new SettableClock();
const random = systemRandom;

const diskFull = () => Object.assign(new Error("no space left on device"), { code: "ENOSPC" });

async function openStorage() {
  const storage = await newLocalStorage();
  return { ...(await openFixture(async () => storage)), dataDir: storage.dataDir };
}

async function modes(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of [".", ...(await readdir(folder, { recursive: true }))])
    found[path] = ((await stat(join(folder, path))).mode & 0o777).toString(8);
  return found;
}

if (DRIVERS.some((driver) => driver.name === "local")) {
  describe("the folder", () => {
    test("is created, and no other user can read anything in it", async () => {
      const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
      const dataDir = join(parent, "new", "data");
      const umask = process.umask(0);
      try {
        await using records = await openLocalRecords({ dataDir, clock, random });
        await using blobs = await openLocalBlobs({ dataDir, random });
        await create(records, "b1");
        const small = await blobs.put("b1", [Buffer.from("x")]);
        const large = await blobs.put("b1", [randomBytes(200_000)]);
        await blobs.markInstallation("id");
        await blobs.markSeen(1);
        expect(await modes(dataDir)).toEqual({
          ".": "700",
          "records.sqlite": "600",
          "records.sqlite-wal": "600",
          "records.sqlite-shm": "600",
          blobs: "700",
          "blobs/tmp": "700",
          "blobs/installation": "600",
          "blobs/last-seen": "600",
          ...Object.fromEntries(
            [small, large].flatMap(({ key }) => [
              [`blobs/${key.slice(0, 2)}`, "700"],
              [`blobs/${key.slice(0, 2)}/${key}`, "600"],
            ]),
          ),
        });
      } finally {
        process.umask(umask);
        await rm(parent, { recursive: true });
      }
    });

    test("can be made by the blob store first", async () => {
      const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
      const dataDir = join(parent, "data");
      await openLocalBlobs({ dataDir, random });
      expect(await modes(dataDir)).toEqual({ ".": "700", blobs: "700", "blobs/tmp": "700" });
      await rm(parent, { recursive: true });
    });

    test("is durable at every commit", async () => {
      await using store = await openStorage();
      await create(store.records, "b1");
      const database = new Database(join(store.dataDir, "records.sqlite"), { readonly: true });
      expect(database.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
      database.close();
    });

    test("holds no temporary file after a put or a mark, and none that a crash left long ago", async () => {
      await using store = await openStorage();
      const temporary = join(store.dataDir, "blobs", "tmp");
      await store.blobs.put("b1", [Buffer.from("x")]);
      for (const id of ["id", "another"]) await store.blobs.markInstallation(id);
      await store.blobs.markSeen(1);
      async function* failing(half: Uint8Array) {
        yield half;
        throw new Error("the client went away");
      }
      for (const bytes of [4, 200_000])
        await expect(store.blobs.put("b1", failing(new Uint8Array(bytes)))).rejects.toThrow(
          "the client went away",
        );
      expect(await readdir(temporary)).toEqual([]);

      for (const [name, minutes] of [
        ["old", 61],
        ["young", 30],
      ] as const) {
        const writtenAt = Date.now() / 1000 - minutes * 60;
        await writeFile(join(temporary, name), "half a ciphertext");
        await utimes(join(temporary, name), writtenAt, writtenAt);
      }
      await openLocalBlobs({ dataDir: store.dataDir, random });
      expect(await readdir(temporary)).toEqual(["young"]);
      expect(await collect(store.blobs.list())).toHaveLength(1);
    });

    test("may be opened by many at once that remove the same files", async () => {
      await using store = await openStorage();
      const temporary = join(store.dataDir, "blobs", "tmp");
      for (let file = 0; file < 50; file++) {
        await writeFile(join(temporary, `${file}`), "half a ciphertext");
        await utimes(join(temporary, `${file}`), 1, 1);
      }
      await Promise.all(Array.from({ length: 10 }, () => openLocalBlobs({ dataDir: store.dataDir, random })));
      expect(await readdir(temporary)).toEqual([]);
    });

    test("holds no ciphertext whose name could not be made durable", async () => {
      await using store = await openStorage();
      const syncDirectory = (path: string) =>
        path.endsWith("blobs") ? Promise.resolve() : Promise.reject(diskFull());
      const { dataDir } = store;
      await using blobs = await openLocalBlobs({ dataDir, random, disk: { syncDirectory } });
      for (const bytes of [4, 200_000])
        await expect(blobs.put("b1", [new Uint8Array(bytes)])).rejects.toBeInstanceOf(StorageUnavailable);
      expect(await collect(store.blobs.list())).toEqual([]);
      expect(await readdir(join(dataDir, "blobs", "tmp"))).toEqual([]);
    });

    test("makes a folder again that could not be made durable before", async () => {
      await using store = await openStorage();
      let last = 0;
      const uuid = () => `ab000000-0000-4000-8000-00000000000${++last}`;
      let isFull = true;
      const syncDirectory = () => (isFull ? Promise.reject(diskFull()) : Promise.resolve());
      const options = { dataDir: store.dataDir, random: { ...random, uuid }, disk: { syncDirectory } };
      await using blobs = await openLocalBlobs(options);
      await expect(blobs.put("b1", [new Uint8Array(1)])).rejects.toBeInstanceOf(StorageUnavailable);
      isFull = false;
      const ref = await blobs.put("b1", [new Uint8Array(2)]);
      expect((await contentOf(blobs, ref)).length).toBe(2);
    });

    test("says so where a ciphertext that could not be stored is left", async () => {
      await using store = await openStorage();
      const key = "00000000-0000-4000-8000-000000000000";
      await using blobs = await openLocalBlobs({ ...store, random: { ...random, uuid: () => key } });
      const lost = new Error("the client is gone");
      async function* content() {
        yield new Uint8Array(200_000);
        const temporary = join(store.dataDir, "blobs", "tmp", key);
        await rm(temporary);
        await mkdir(temporary); // which `unlink` refuses
        throw lost;
      }
      const error = await blobs.put("b1", content()).catch((thrown: unknown) => thrown);
      if (!(error instanceof StorageUnavailable && error.cause instanceof AggregateError)) throw error;
      expect(error.cause.errors[0]).toBe(lost);
      expect(error.cause.errors).toHaveLength(2);
    });

    test("has no file open after ciphertexts were put, read, found damaged and left unread", async () => {
      await using store = await openStorage();
      for (const bytes of [4, 300_000]) {
        const ref = await store.blobs.put("b1", [randomBytes(bytes)]);
        await contentOf(store.blobs, ref);
        await (await store.blobs.get(ref))?.cancel();
        await truncate(join(store.dataDir, "blobs", ref.key.slice(0, 2), ref.key), bytes - 1);
        await expect(contentOf(store.blobs, ref)).rejects.toBeInstanceOf(BlobDamaged);
      }
      expect(await openFilesIn({ path: join(store.dataDir, "blobs") }, "")).toEqual([]);
    });

    test("has a list without the ciphertexts that are deleted while it is read", async () => {
      await using store = await openStorage();
      const uuidOf = (last: number) => `ab000000-0000-4000-8000-00000000000${last}`;
      let last = 0;
      await using blobs = await openLocalBlobs({
        ...store,
        random: { ...random, uuid: () => uuidOf(++last) },
      });
      for (const bytes of [1, 2, 3]) await blobs.put("b1", [new Uint8Array(bytes)]);
      const listed: string[] = [];
      for await (const { key } of blobs.list()) {
        listed.push(key);
        for (const other of [1, 2, 3].map(uuidOf)) if (other !== key) await blobs.delete(other);
      }
      expect(listed).toHaveLength(1);
    });

    test("has no ciphertext under a name that something else has", async () => {
      await using store = await openStorage();
      const key = "ab000000-0000-4000-8000-000000000000";
      await mkdir(join(store.dataDir, "blobs", "ab", key), { recursive: true });
      await using blobs = await openLocalBlobs({ ...store, random: { ...random, uuid: () => key } });
      for (const bytes of [4, 200_000])
        await expect(blobs.put("b1", [new Uint8Array(bytes)])).rejects.toBeInstanceOf(StorageUnavailable);
    });

    test("is shared with processes that made folders in it before", async () => {
      await using store = await openStorage();
      const uuidOf = (last: number) => `ab000000-0000-4000-8000-00000000000${last}`;
      for (const last of [1, 2]) {
        await using blobs = await openLocalBlobs({
          ...store,
          random: { ...random, uuid: () => uuidOf(last) },
        });
        expect(await blobs.put("b1", [new Uint8Array(last)])).toMatchObject({ key: uuidOf(last) });
      }
      const sizes = await Promise.all([1, 2].map((last) => store.blobs.sizeOf(uuidOf(last))));
      expect(sizes).toEqual([1, 2]);
      expect(await store.blobs.sizeOf(uuidOf(3))).toBeNull();
    });

    test("never has a ciphertext written into a file that is there", async () => {
      await using store = await openStorage();
      const key = "00000000-0000-4000-8000-000000000000";
      await using blobs = await openLocalBlobs({ ...store, random: { ...random, uuid: () => key } });
      for (const bytes of [4, 200_000]) {
        await writeFile(join(store.dataDir, "blobs", "tmp", key), "another process");
        await expect(blobs.put("b1", [new Uint8Array(bytes)])).rejects.toBeInstanceOf(StorageUnavailable);
      }
    });

    test("has as much room as its file system", async () => {
      await using store = await openStorage();
      const { bavail, bsize } = await statfs(store.dataDir);
      const free = await store.blobs.freeBytes();
      // others write meanwhile
      expect(free).toBeGreaterThan((bavail * bsize) / 2);
      expect(free).toBeLessThan(bavail * bsize * 2);
    });

    test("may hold files of others, which are not listed", async () => {
      await using store = await openStorage();
      const { key } = await store.blobs.put("b1", [Buffer.from("x")]);
      const folder = join(store.dataDir, "blobs", key.slice(0, 2));
      await writeFile(join(folder, ".DS_Store"), "");
      await writeFile(join(store.dataDir, "blobs", "README"), "");
      expect((await collect(store.blobs.list())).map((entry) => entry.key)).toEqual([key]);
    });

    test("may hold a file far larger than it was, which is not read to its end", async () => {
      await using store = await openStorage();
      const ref = await store.blobs.put("b1", [Buffer.from("x")]);
      await truncate(join(store.dataDir, "blobs", ref.key.slice(0, 2), ref.key), 64 * 2 ** 30);
      await expect(contentOf(store.blobs, ref)).rejects.toBeInstanceOf(BlobDamaged);
      const large = await store.blobs.put("b1", [randomBytes(100_000)]);
      await truncate(join(store.dataDir, "blobs", large.key.slice(0, 2), large.key), 64 * 2 ** 30);
      await expect(contentOf(store.blobs, large)).rejects.toBeInstanceOf(BlobDamaged);
    });

    test("may lose the folders in it, which are made again", async () => {
      await using store = await openStorage();
      const random = { ...systemRandom, uuid: () => `ab${systemRandom.uuid().slice(2)}` };
      await using blobs = await openLocalBlobs({ dataDir: store.dataDir, random });
      await blobs.put("b1", [Buffer.from("x")]);
      await rm(join(store.dataDir, "blobs", "ab"), { recursive: true });
      await expect(blobs.put("b1", [Buffer.from("y")])).rejects.toBeInstanceOf(StorageUnavailable);
      const ref = await blobs.put("b1", [Buffer.from("z")]);
      expect(`${await contentOf(blobs, ref)}`).toBe("z");
    });

    test("is not left by a key that is a path", async () => {
      await using store = await openStorage();
      for (const key of ["../records.sqlite", "", "/etc/passwd", "ab/../../x", "b1/blobs/x"]) {
        await expect(store.blobs.get({ key, size: 1, sha256: "" })).rejects.toThrow("not a blob key");
        await expect(store.blobs.delete(key)).rejects.toThrow("not a blob key");
      }
    });

    test("that cannot be written to is an outage, and works again afterwards", async () => {
      await using store = await openStorage();
      const ref = await store.blobs.put("b1", [Buffer.from("x")]);
      const [blobs, away] = [join(store.dataDir, "blobs"), join(store.dataDir, "away")];
      await rename(blobs, away);
      await writeFile(blobs, "a file where the folder was");
      await expect(store.blobs.put("b1", [Buffer.from("y")])).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(store.blobs.get(ref)).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(store.blobs.delete(ref.key)).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(collect(store.blobs.list())).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(store.blobs.ready()).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(store.blobs.writable()).rejects.toBeInstanceOf(StorageUnavailable);
      await rm(blobs);
      await rename(away, blobs);
      await store.blobs.ready();
      expect(`${await contentOf(store.blobs, ref)}`).toBe("x");
      await store.blobs.put("b1", [Buffer.from("y")]);
    });

    test("is not made where a file is in the way", async () => {
      const dataDir = join(await mkdtemp(join(tmpdir(), "backup-service-")), "data");
      await writeFile(dataDir, "");
      await expect(openLocalRecords({ dataDir, clock, random })).rejects.toThrow();
      await expect(openLocalBlobs({ dataDir, random })).rejects.toThrow();
    });
  });

  describe("the database", () => {
    test("gets the current schema when it is empty, and keeps it when opened again", async () => {
      await using store = await openStorage();
      await create(store.records, "b1", { claim: [main("f1")] });
      const records = await openLocalRecords({ dataDir: store.dataDir, clock, random });
      expect(await labelOf(records, "b1")).toBe("b1");
      await records[Symbol.asyncDispose]();
      const database = new Database(join(store.dataDir, "records.sqlite"));
      expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: 3 });
      expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
      database.close();
    });

    test("that a newer version of the service wrote is refused, and not changed", async () => {
      await using store = await openStorage();
      await create(store.records, "b1");
      const database = new Database(join(store.dataDir, "records.sqlite"));
      database.run("PRAGMA user_version = 99");
      const opening = openLocalRecords({ dataDir: store.dataDir, clock, random });
      await expect(opening).rejects.toThrow("format 99");
      expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: 99 });
      database.close();
    });

    test("is written to, when it is asked whether it takes writes", async () => {
      await using store = await openStorage();
      const log = join(store.dataDir, "records.sqlite-wal");
      const before = (await stat(log)).size;
      await store.records.writable();
      expect((await stat(log)).size).toBeGreaterThan(before);
    });

    test("is written before it is closed, and not used afterwards", async () => {
      await using storage = await newLocalStorage();
      const open = () => openLocalRecords({ dataDir: storage.dataDir, clock, random });
      const closed = await open();
      const created = closed.commit({ backupId: "b1", expect: "absent", next: record("b1") });
      await closed[Symbol.asyncDispose]();
      expect(await created).toBe("committed");
      await expect(closed.ready()).rejects.toThrow();
      await using records = await open();
      expect(await labelOf(records, "b1")).toBe("b1");
    });

    test("of a copy stays one where no service opens it", async () => {
      await using storage = await newLocalStorage();
      const { dataDir } = storage;
      await writeFile(join(dataDir, MARK), "");
      await (await openLocalRecords({ dataDir, clock, random }))[Symbol.asyncDispose]();
      expect(await readdir(dataDir)).toContain(MARK);
    });

    test("that is no database is refused", async () => {
      await using storage = await newLocalStorage();
      await writeFile(join(storage.dataDir, "records.sqlite"), "x".repeat(10_000));
      await expect(openLocalRecords({ dataDir: storage.dataDir, clock, random })).rejects.toThrow();
    });

    test("that another program has locked for writing is an outage, and nothing is written", async () => {
      await using storage = await newLocalStorage();
      const options = { dataDir: storage.dataDir, clock, random, busyTimeoutMs: 20 };
      const records = await openLocalRecords(options);
      const other = new Database(join(storage.dataDir, "records.sqlite"));
      other.run("BEGIN IMMEDIATE");
      await expect(create(records, "b1")).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(records.writable()).rejects.toBeInstanceOf(StorageUnavailable);
      expect(await records.read("b1")).toBeNull();
      await records.ready();
      other.run("ROLLBACK");
      await create(records, "b1");
      other.close();
      await records[Symbol.asyncDispose]();
    });
  });
}
