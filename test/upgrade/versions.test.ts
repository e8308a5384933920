/** What the documents say of versions and formats. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { semver } from "bun";
import { MIGRATIONS } from "../../src/backups/schema-version.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { version } from "../../src/runtime/version.ts";
import { DRIVERS } from "../drivers.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { fixturesOf } from "./fixture.ts";

const read = (file: string) => Bun.file(join(import.meta.dir, "../..", file)).text();

/** The sections of the changelog, the newest first. */
async function sections() {
  const [, ...texts] = (await read("CHANGELOG.md")).split(/^## (?=\[)/m);
  return texts.map((text) => ({ name: /^\[([^\]]+)\]/.exec(text)?.[1] ?? "", text }));
}

/** The rows of the table of formats, by their versions. */
async function formats() {
  const table = (await read("README.md")).split("| version | database schema |")[1]?.split("\n\n")[0] ?? "";
  const rows = [...table.matchAll(/^\| (\d+\.\d+\.\d+) \| (\d+) \| (\d+) \| (\d+) \|/gm)];
  return rows.map(([, name = "", ...numbers]) => ({ name, numbers: numbers.map(Number) }));
}

describe("the changelog", () => {
  test("has the version of the program as the newest one, and earlier ones in their order", async () => {
    const [unreleased, ...versions] = (await sections()).map(({ name }) => name);
    expect(unreleased).toBe("Unreleased");
    expect(versions[0]).toBe(version);
    expect(versions).toEqual(versions.toSorted((one, other) => semver.order(other, one)));
  });

  test("says first of each version what to do before an update", async () => {
    for (const { text } of await sections())
      expect(/^### (.+)$/m.exec(text)?.[1]).toBe("To do before an update");
  });
});

describe("the table of formats", () => {
  test("has every version", async () => {
    const versions = (await sections()).map(({ name }) => name).slice(1);
    expect((await formats()).map(({ name }) => name)).toEqual(versions.toReversed());
  });

  for (const driver of DRIVERS)
    test(`has the current ones: ${driver.name}`, async () => {
      await using stores = await driver.openStores({ clock: new SettableClock(), random: systemRandom });
      const format = await stores.records.format();
      const [schema, layout, metadata] = (await formats()).at(-1)?.numbers ?? [];
      expect(driver.name === "local" ? schema : layout).toBe(format.version);
      expect(metadata).toBe(MIGRATIONS.length + 1);
    });
});

test("every driver has fixtures of the same versions, one at least", async () => {
  const [first = [], ...others] = await Promise.all(
    DRIVERS.map(async ({ name }) => (await fixturesOf(name)).map((fixture) => fixture.version)),
  );
  expect(first.length).toBeGreaterThan(0);
  for (const other of others) expect(other).toEqual(first);
});
