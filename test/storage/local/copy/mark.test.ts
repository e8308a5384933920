import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockCopyMark, lockMark, MARK } from "../../../../src/storage/local/copy/mark.ts";

async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), "backup-service-"));
  return { folder, mark: join(folder, MARK), [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** As `backup-data` does when it begins. */
function lockedMark(path: string): Database {
  const lock = lockMark(path, true);
  if (!(lock instanceof Database)) throw new Error(`the mark is ${lock}`);
  return lock;
}

describe("the mark of a copy", () => {
  test("is locked by one at a time, and made by a copy only", async () => {
    await using site = await newFolder();
    expect(lockMark(site.mark)).toBe("missing");
    expect(existsSync(site.mark)).toBe(false);
    const first = lockedMark(site.mark);
    expect(lockMark(site.mark, true)).toBe("busy");
    expect(lockMark(site.mark)).toBe("busy");
    first.close();
    lockedMark(site.mark).close();
  });

  test("that is no database is not taken for one that is locked, or for none", async () => {
    await using site = await newFolder();
    await writeFile(site.mark, "x".repeat(4_096));
    for (const create of [true, false])
      expect(() => lockMark(site.mark, create)).toThrow("file is not a database");
  });

  test("is waited for, as long as was said, and not removed by one that could not have it", async () => {
    await using site = await newFolder();
    const copying = lockedMark(site.mark);
    await expect(lockCopyMark(site.folder, 0)).rejects.toThrow("a copy is being made in");
    const waiting = lockCopyMark(site.folder, 60_000);
    await writeFile(join(site.folder, "records.sqlite"), "");
    copying.close();
    const locked = await waiting;
    expect(lockMark(site.mark)).toBe("busy");
    await locked?.remove();
    locked?.[Symbol.dispose]();
    expect(existsSync(site.mark)).toBe(false);
    expect(await lockCopyMark(site.folder, 0)).toBeNull();
  });
});
