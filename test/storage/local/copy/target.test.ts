import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { copyData } from "../../../../src/storage/local/copy/data.ts";
import { prepareTarget } from "../../../../src/storage/local/copy/target.ts";
import { storeBackup } from "../../../maintenance/doctor/examined-stores.ts";
import { newSite } from "./site.ts";

const INSIDE = "is inside the data folder that is to be copied";
const AROUND = "the data folder that is to be copied is inside";

describe("the folder of a copy", () => {
  test("is neither the data folder, nor in it, nor around it", async () => {
    await using site = await newSite();
    const { source, target } = site;
    const parent = join(target, "..");
    await symlink(source, join(parent, "link"));
    for (const [folder, reason] of [
      [source, INSIDE],
      [join(source, "copy"), INSIDE],
      [join(source, "new", "copy"), INSIDE],
      [join(source, "..copy"), INSIDE],
      [join(parent, "link", "copy"), INSIDE],
      [join(source, ".."), AROUND],
      ["/", AROUND],
    ] as const)
      await expect(prepareTarget(source, folder)).rejects.toThrow(reason);
    expect(await readdir(source)).not.toContain(".backup-data");
  });

  test("can be read by its owner only, also one that was there", async () => {
    await using site = await newSite();
    const { source, target } = site;
    await mkdir(target);
    await chmod(target, 0o755);
    using _folder = await prepareTarget(source, target);
    for (const [path, mode] of [
      [target, 0o700],
      [join(target, ".backup-data"), 0o600],
    ] as const)
      expect((await stat(path)).mode & 0o777).toBe(mode);
  });

  test("is free again once it was refused, or is disposed of", async () => {
    await using site = await newSite();
    await using other = await newSite();
    const { stores, source, target } = site;
    for (const store of [stores.records, stores.blobs]) await store.markInstallation("id");
    for (const store of [other.stores.records, other.stores.blobs]) await store.markInstallation("other id");
    await copyData({ source, target });
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(prepareTarget(other.source, target)).rejects.toThrow("is a copy of another installation");
    const folder = await prepareTarget(source, target);
    await expect(prepareTarget(source, target)).rejects.toThrow("another copy is being made in");
    folder[Symbol.dispose]();
    (await prepareTarget(source, target))[Symbol.dispose]();
  });

  test("is refused when a service has taken it since", async () => {
    await using site = await newSite();
    const { stores, source, target } = site;
    await storeBackup(stores, "b1");
    await copyData({ source, target });
    using folder = await prepareTarget(source, target);
    folder.requireUntouched();
    const database = new Database(join(target, "records.sqlite"));
    database.run("DELETE FROM marks WHERE name = 'copied-at-ms'");
    database.close();
    expect(() => folder.requireUntouched()).toThrow("is not a copy any more");
  });
});
