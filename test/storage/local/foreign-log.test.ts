/** The database of a copy that is put beside the log which a killed service left. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFile, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock, systemRandom as random } from "../../../src/runtime/clock.ts";
import { copyData } from "../../../src/storage/local/copy/data.ts";
import { openLocalRecords } from "../../../src/storage/local/records.ts";

const LOG_FILES = ["records.sqlite-wal", "records.sqlite-shm"];

async function newFolders() {
  const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
  return {
    live: join(parent, "live"),
    copy: join(parent, "copy"),
    killed: join(parent, "killed"),
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true }),
  };
}

const open = (dataDir: string, serves = true) => openLocalRecords({ dataDir, clock, random, serves });

async function store(records: Awaited<ReturnType<typeof open>>, backupId: string): Promise<void> {
  const blob = { key: random.uuid(), size: 1, sha256: "" };
  const next = { blob, metadata: { filling: "x".repeat(2_000) }, versions: [] };
  expect(await records.commit({ backupId, expect: "absent", next })).toBe("committed");
}

function backupsIn(dataDir: string): unknown {
  const database = new Database(join(dataDir, "records.sqlite"), { readonly: true });
  try {
    return database.query("SELECT count(*) AS backups FROM backups").get();
  } finally {
    database.close();
  }
}

/** A data folder as a killed service leaves it, log and all, with the database of an earlier copy put into it. */
async function restoreIntoKilled(
  { live, copy, killed }: Awaited<ReturnType<typeof newFolders>>,
  byDoctor: boolean,
) {
  const records = await open(live);
  await store(records, "before the copy");
  await copyData({ source: live, target: copy });
  if (byDoctor) await (await open(copy, false))[Symbol.asyncDispose]();
  for (let each = 0; each < 50; each++) await store(records, `after the copy ${each}`);
  await (await open(killed))[Symbol.asyncDispose]();
  for (const name of LOG_FILES) await copyFile(join(live, name), join(killed, name));
  await copyFile(join(copy, "records.sqlite"), join(killed, "records.sqlite"));
  await records[Symbol.asyncDispose]();
}

describe("the database of a copy with the log of a killed service", () => {
  for (const byDoctor of [false, true])
    test(`is not opened, and not changed by that${byDoctor ? ", also after the doctor examined the copy" : ""}`, async () => {
      await using folders = await newFolders();
      const { live, killed, copy } = folders;
      await restoreIntoKilled(folders, byDoctor);
      const refusal =
        /^records\.sqlite in .* log records\.sqlite-wal is still there: move records\.sqlite-wal and records\.sqlite-shm to/;
      for (const serves of [true, false]) await expect(open(killed, serves)).rejects.toThrow(refusal);
      await expect(copyData({ source: killed, target: `${copy}-of-killed` })).rejects.toThrow(refusal);

      for (const name of LOG_FILES) await rename(join(killed, name), join(live, `${name}.aside`));
      await using records = await open(killed);
      expect(await records.restores()).toHaveLength(1);
      expect(backupsIn(killed)).toEqual({ backups: 1 });
    });

  test("is distinguished from a database with the log that its crash left", async () => {
    await using folders = await newFolders();
    const { live, killed } = folders;
    await using records = await open(live);
    await (await open(killed))[Symbol.asyncDispose]();
    await store(records, "a backup");
    for (const name of ["records.sqlite", ...LOG_FILES]) await copyFile(join(live, name), join(killed, name));
    await using recovered = await open(killed);
    expect(await recovered.read("a backup")).not.toBeNull();
  });
});
