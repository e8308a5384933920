import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NewerFormat } from "../../../../src/storage/errors.ts";
import { type CopyProgress, copyData } from "../../../../src/storage/local/copy/data.ts";
import { installationIdAt } from "../../../../src/storage/local/installation-file.ts";
import { installationIdOf, nextShareOf } from "../../../../src/storage/local/marks.ts";
import { storeBackup } from "../../../maintenance/doctor/examined-stores.ts";
import { backupsIn, blobIn, newSite, storeCopiesOf } from "./site.ts";

const SHARES = 16;
const MAX_OPEN = 200;

describe("a copy of a data folder", () => {
  test("reports its progress after each ciphertext, and what it did at the end", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    for (const id of ["b1", "b2"]) await storeBackup(stores, id); // of 1000 bytes each
    const progress: CopyProgress[] = [];
    const onProgress = (now: CopyProgress) => progress.push({ ...now });
    const none = { copiedBlobs: 0, copiedBytes: 0, presentBlobs: 0, verifiedBlobs: 0 };
    const nothingElse = { repaired: [], lost: [], prunedBlobs: 0 };
    const first = await copyData({ source, target, onProgress });
    expect(progress.map(({ copiedBytes }) => copiedBytes)).toEqual([1_000, 2_000]);
    expect(first).toEqual({ ...none, copiedBlobs: 2, copiedBytes: 2_000, ...nothingElse });
    const second = await copyData({ source, target, onProgress, verifyAll: true });
    expect(progress.slice(2).map(({ presentBlobs }) => presentBlobs)).toEqual([1, 2]);
    expect(second).toEqual({ ...none, presentBlobs: 2, verifiedBlobs: 2, ...nothingElse });
  });

  test("verifies one of 16 shares of an earlier one each time, then the first again", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    const { blob } = await storeBackup(stores, "b");
    storeCopiesOf(site, blob, ["b1"]); // in the same share, by the first digit of its key
    await copyData({ source, target });
    const verified: number[] = [];
    for (let run = 0; run < SHARES + 1; run++)
      verified.push((await copyData({ source, target })).verifiedBlobs);
    expect(verified.slice(0, SHARES).toSorted()).toEqual([...Array(SHARES - 1).fill(0), 2]);
    expect(verified[SHARES]).toBe(verified[0] ?? -1);
    using database = new Database(join(target, "records.sqlite"), { readonly: true });
    expect(nextShareOf(database)).toBe((1 + SHARES + 1) % SHARES);
  });

  test("is a database as the source is, which only its owner can read", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    await storeBackup(stores, "b1");
    await stores.records.markInstallation("id");
    await stores.blobs.markInstallation("id");
    await copyData({ source, target });
    using original = new Database(join(source, "records.sqlite"), { readonly: true });
    using copy = new Database(join(target, "records.sqlite"), { readonly: true });
    for (const query of ["PRAGMA user_version", "SELECT type, name, sql FROM sqlite_schema ORDER BY name"])
      expect(copy.query(query).all()).toEqual(original.query(query).all());
    expect([installationIdOf(copy), await installationIdAt(join(target, "blobs"))]).toEqual(["id", "id"]);
    for (const path of [".", ...(await readdir(target, { recursive: true }))]) {
      const found = await stat(join(target, path));
      expect((found.mode & 0o777).toString(8)).toBe(found.isDirectory() ? "700" : "600");
    }
  });

  test("has the other files of the source, but no folders and nothing of the database", async () => {
    await using site = await newSite();
    const { source, target } = site;
    await writeFile(join(source, "challenge-token-key"), "a key");
    await chmod(join(source, "challenge-token-key"), 0o644);
    await mkdir(join(source, "lost+found"));
    await writeFile(join(source, "records.sqlite.old"), "by an operator");
    await writeFile(join(source, ".backup-data"), "a mark"); // it may be a copy itself
    for (let run = 0; run < 2; run++) await copyData({ source, target });
    expect((await readdir(target)).sort()).toEqual([
      ".backup-data",
      "blobs",
      "challenge-token-key",
      "records.sqlite",
    ]);
    expect(await readFile(join(target, "challenge-token-key"), "utf8")).toBe("a key");
    expect((await stat(join(target, "challenge-token-key"))).mode & 0o777).toBe(0o600);
  });

  test("fails where such a file cannot be written, leaves the earlier copy, and holds nothing", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    await storeBackup(stores, "b1");
    await copyData({ source, target });
    await storeBackup(stores, "b2");
    await writeFile(join(source, "key"), "a key");
    await mkdir(join(target, "key"));
    await expect(copyData({ source, target })).rejects.toThrow("EISDIR");
    expect(backupsIn(target)).toEqual(["b1"]);
    const left = (await readdir(target)).filter((name) => name.startsWith("records.sqlite."));
    expect(await Promise.all(left.map((name) => readFile(join(target, name), "utf8")))).toEqual(["a key"]);
  });

  test("is not made of a database of a later version of the service, nor where there is none", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    await storeBackup(stores, "b1");
    const database = new Database(join(source, "records.sqlite"));
    database.run("PRAGMA user_version = 1000");
    database.close();
    await expect(copyData({ source, target })).rejects.toBeInstanceOf(NewerFormat);
    const empty = join(target, "..", "empty");
    await mkdir(empty);
    await expect(copyData({ source: empty, target })).rejects.toThrow("unable to open database file");
    expect(await readdir(empty)).toEqual([]);
    expect(existsSync(target)).toBe(false);
  });

  test("has what is replaced while it copies ciphertexts, however much that is", async () => {
    for (const replaced of [2, MAX_OPEN + 50]) {
      await using site = await newSite();
      const { stores, source, target } = site;
      const { blob } = await storeBackup(stores, "b");
      const ids = Array.from({ length: replaced }, (_, index) => `replaced ${index}`);
      storeCopiesOf(site, blob, ids);
      const onProgress = ({ copiedBlobs }: CopyProgress) => {
        if (copiedBlobs === 1 + replaced) storeCopiesOf(site, blob, ids);
      };
      const { copiedBlobs, lost } = await copyData({ source, target, onProgress });
      expect({ copiedBlobs, lost }).toEqual({ copiedBlobs: 1 + 2 * replaced, lost: [] });
      expect(backupsIn(target)).toEqual(["b", ...ids].sort());
      using database = new Database(join(target, "records.sqlite"), { readonly: true });
      for (const { key } of database.query<{ key: string }, []>("SELECT blob_key AS key FROM backups").all())
        expect(existsSync(blobIn(target, key))).toBe(true);
    }
  });

  test("does not hold the source when it is made, nor when it has failed", async () => {
    await using site = await newSite();
    const { stores, target: source } = site;
    await storeBackup(stores, "b1");
    await copyData({ source: site.source, target: source }); // no process has this one open
    const database = new Database(join(source, "records.sqlite"));
    database.run("PRAGMA journal_mode = WAL");
    database.close();
    const target = join(source, "..", "copy of the copy");
    const expectFree = () => {
      using alone = new Database(join(source, "records.sqlite"));
      alone.run("PRAGMA journal_mode = DELETE"); // fails while it is open elsewhere
      alone.run("PRAGMA journal_mode = WAL");
    };
    const onProgress = () => {
      throw new Error("stopped");
    };
    await expect(copyData({ source, target, onProgress })).rejects.toThrow("stopped");
    expectFree();
    await copyData({ source, target });
    expectFree();
  });
});
