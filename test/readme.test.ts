import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

test("the README names no source or test that is not there", async () => {
  const readme = await Bun.file(join(ROOT, "README.md")).text();
  const paths = [...readme.matchAll(/`((?:src|test)\/[\w./-]+)`/g)].map(([, path = ""]) => path);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
