import { expect, test } from "bun:test";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { installationIdAt, writeInstallationId } from "../../../src/storage/local/installation-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

test("a folder has the mark that was first, also where another is written", async () => {
  await using folder = await temporaryFolder();
  const [root, temporary] = [join(folder.path, "blobs"), join(folder.path, "temporary")];
  await mkdir(root);
  expect(await installationIdAt(root)).toBeNull();
  for (const id of ["first", "second"]) expect(await writeInstallationId(root, id, temporary)).toBe("first");
  expect(await installationIdAt(root)).toBe("first");
  expect(await readdir(folder.path)).toEqual(["blobs"]);
});

test("a mark that cannot be made is not reported as made, and leaves nothing", async () => {
  await using folder = await temporaryFolder();
  const temporary = join(folder.path, "temporary");
  // a file has one file system only, and that of devices is another
  await expect(writeInstallationId("/dev", "id", temporary)).rejects.toThrow();
  expect(await readdir(folder.path)).toEqual([]);
});
