/** The snapshots of a copy, where ciphertexts disappear between a snapshot and its ciphertexts being opened. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { type BlobCopier, openBlobCopier } from "../../../../src/storage/local/copy/blobs.ts";
import { type CopyOptions, type CopyProgress, copyData } from "../../../../src/storage/local/copy/data.ts";
import { storeBackup } from "../../../maintenance/doctor/examined-stores.ts";
import { backupsIn, blobIn, newSite, type Site, storeCopiesOf } from "./site.ts";

/** How many backups are read at a time. */
const PAGE = 500;

/** As the copier of ciphertexts, but with this `open`, which is called for a snapshot only. */
const opening =
  (open: (usual: BlobCopier["open"]) => BlobCopier["open"]): typeof openBlobCopier =>
  async (...parameters) => {
    const copier = await openBlobCopier(...parameters);
    return { ...copier, open: open(copier.open) };
  };

/** Whether a service could not write now. */
function isBlocked(source: string): boolean {
  using database = new Database(join(source, "records.sqlite"));
  try {
    database.run("BEGIN IMMEDIATE");
    database.run("ROLLBACK");
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: "SQLITE_BUSY" });
    return true;
  }
}

interface Copied {
  /** Whether writes were blocked, for each snapshot. */
  readonly blocked: readonly boolean[];
  readonly opened: readonly FileHandle[];
}

/** Makes a copy for which one of two new ciphertexts has disappeared in each snapshot, until writes are blocked. */
async function copyUnderLoad(
  site: Site,
  options: Pick<CopyOptions, "attemptsBeforeBlocking">,
): Promise<Copied> {
  const { stores, source, target } = site;
  const { blob } = await storeBackup(stores, "b");
  const blocked: boolean[] = [];
  const opened: FileHandle[] = [];
  const pair = ["b1", "b2"];
  storeCopiesOf(site, blob, pair);
  let isFirst = false;
  const openBlobs = opening((open) => async (ref) => {
    isFirst = !isFirst;
    if (isFirst) blocked.push(isBlocked(source));
    else if (blocked.at(-1) === false) return null;
    const file = await open(ref);
    if (file !== null) opened.push(file);
    return file;
  });
  let left = 1 + pair.length; // how many ciphertexts are copied before the two are replaced
  const onProgress = () => {
    if (blocked.at(-1) === true || --left > 0) return;
    storeCopiesOf(site, blob, pair);
    left = pair.length;
  };
  const { copiedBlobs, lost } = await copyData({ source, target, openBlobs, onProgress, ...options });
  expect({ copiedBlobs, lost }).toEqual({ copiedBlobs: 1 + 2 * (1 + blocked.length), lost: [] });
  expect(isBlocked(source)).toBe(false);
  return { blocked, opened };
}

describe("the snapshot of a copy", () => {
  test("is taken with writes blocked after five whose ciphertexts could not all be opened", async () => {
    await using site = await newSite();
    const { blocked, opened } = await copyUnderLoad(site, {});
    expect(blocked).toEqual([false, false, false, false, false, true]);
    expect(opened.map(({ fd }) => fd)).toEqual(Array(7).fill(-1)); // none stays open
  });

  test("is taken with writes blocked as soon as that is wanted", async () => {
    for (const attemptsBeforeBlocking of [0, 2]) {
      await using site = await newSite();
      const { blocked } = await copyUnderLoad(site, { attemptsBeforeBlocking });
      expect(blocked).toEqual([...Array(attemptsBeforeBlocking).fill(false), true]);
    }
  });

  test("opens no ciphertext where nothing has changed since it was copied", async () => {
    for (const more of [0, PAGE]) {
      await using site = await newSite();
      const { stores, source, target } = site;
      const { blob } = await storeBackup(stores, "b");
      const ids = Array.from({ length: more }, (_, index) => `b${index}`);
      storeCopiesOf(site, blob, ids);
      const openBlobs = opening(() => () => Promise.reject(new Error("it is opened")));
      expect(await copyData({ source, target, openBlobs })).toMatchObject({ copiedBlobs: 1 + more });
    }
  });

  test("is what is copied, with its ciphertexts, whatever changes while they are opened", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    const { blob } = await storeBackup(stores, "b1");
    storeCopiesOf(site, blob, ["b2"]);
    const onProgress = ({ copiedBlobs }: CopyProgress) => {
      if (copiedBlobs === 2) storeCopiesOf(site, blob, ["b2"]);
    };
    const openBlobs = opening((open) => async (ref) => {
      const file = await open(ref);
      storeCopiesOf(site, blob, ["b2", "b3"]);
      await stores.blobs.delete(ref.key);
      return file;
    });
    const result = await copyData({ source, target, openBlobs, onProgress });
    expect(result).toMatchObject({ copiedBlobs: 3, lost: [] });
    expect(backupsIn(target)).toEqual(["b1", "b2"]);
    using database = new Database(join(target, "records.sqlite"), { readonly: true });
    for (const { key } of database.query<{ key: string }, []>("SELECT blob_key AS key FROM backups").all())
      expect(existsSync(blobIn(target, key))).toBe(true);
  });
});
