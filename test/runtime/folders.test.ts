import { describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../../src/runtime/folders.ts";

async function inFolder(work: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "backup-service-folders-"));
  try {
    await work(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe("a folder", () => {
  test("is made with its parents, readable by its owner only", () =>
    inFolder(async (root) => {
      await makeFolder(join(root, "a", "b"));
      expect([await modeOf(join(root, "a")), await modeOf(join(root, "a", "b"))]).toEqual([0o700, 0o700]);
    }));

  test("that exists already stays as it is", () =>
    inFolder(async (root) => {
      await chmod(root, 0o755);
      await writeFile(join(root, "kept"), "");
      await makeFolder(`${root}/`);
      expect([await modeOf(root), await readdir(root)]).toEqual([0o755, ["kept"]]);
    }));

  test("may be made by several at once", () =>
    inFolder(async (root) => {
      await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(root, "a", "b", "c"))));
      expect(await readdir(join(root, "a", "b"))).toEqual(["c"]);
    }));

  test("cannot be made where a file is", () =>
    inFolder(async (root) => {
      await writeFile(join(root, "file"), "kept");
      await expect(makeFolder(join(root, "file"))).rejects.toThrow("EEXIST");
      await expect(makeFolder(join(root, "file", "below"))).rejects.toThrow("ENOTDIR");
      expect(await Bun.file(join(root, "file")).text()).toBe("kept");
    }));
});
