/** The file of a doctor, as runs that were killed or failed leave it. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Counts } from "../../../src/maintenance/doctor/examination.ts";
import { finding } from "../../../src/maintenance/doctor/findings.ts";
import { openResumeFile } from "../../../src/maintenance/doctor/resume-file.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const of = {
  version: "1.0.0",
  installation: "one",
  restoredAtMs: null,
  verify: false,
  repair: true,
  remove: [],
};
const left = finding("blob-missing", { backupId: "b1", blobKey: "b1/1" });
const repaired = { ...finding("row-without-backup", { backupId: "b2" }), repaired: true };

function opened(path: string, more: { restoredAtMs?: number; version?: string } = {}) {
  return openResumeFile(path, {
    of: { ...of, ...more },
    counts: new Counts(),
    clock: new SettableClock(),
  });
}

const place = { place: { part: "records", after: "b1" }, areRowsMissing: false } as const;

describe("the file of --resume", () => {
  test("has what was repaired after the last place, however often the run is killed", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    {
      using file = opened(path);
      file.reached(place);
      file.found(left);
      file.found(repaired);
    }
    for (const _kill of [1, 2]) {
      using file = opened(path);
      expect(file.findings).toEqual([repaired]); // the other one is found again
      expect(file.interrupted?.place).toEqual(place.place);
      expect([left, repaired].map(file.isKnown)).toEqual([false, true]);
    }
  });

  test("is of one doctor at a time: one of two fails, and the file stays one that can be used", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    using first = opened(path);
    first.reached(place);
    using second = opened(path);
    first.found(left);
    expect(() => second.found(repaired)).toThrow(`${path} is in use by another doctor`);
    using third = opened(path);
    expect(() => first.found(left)).toThrow(`${path} is in use by another doctor`);
    third.found(left);
    expect(third.interrupted?.place).toEqual(place.place);
  });

  test("is refused once the records were restored from a copy", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    opened(path, { restoredAtMs: 1 })[Symbol.dispose]();
    opened(path, { restoredAtMs: 1 })[Symbol.dispose]();
    expect(() => opened(path, { restoredAtMs: 2 })).toThrow("before a restore: delete");
  });

  test("is refused by another version, which may check more", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    opened(path)[Symbol.dispose]();
    expect(() => opened(path, { version: "1.1.0" })).toThrow("of another version");
  });

  test("is refused where it is of a later time: what has changed since would not be known", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    const clock = new SettableClock();
    openResumeFile(path, { of, counts: new Counts(), clock })[Symbol.dispose]();
    clock.set(clock.nowMs() - 1);
    expect(() => openResumeFile(path, { of, counts: new Counts(), clock })).toThrow("later than now");
  });

  test("is a file: no folder, no device, no pipe that would be waited for", async () => {
    await using folder = await temporaryFolder();
    const fifo = join(folder.path, "fifo");
    expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
    for (const path of [folder.path, fifo, "/dev/full"])
      expect(() => opened(path)).toThrow(`${path} is not a file of this doctor: name another one`);
  });

  test("may be gone when the run ends", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    using file = opened(path);
    rmSync(path);
    expect(file.remove).not.toThrow();
  });

  test("is refused where its first line is torn at the end", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "run");
    opened(path)[Symbol.dispose]();
    const torn = readFileSync(path, "utf8").trimEnd();
    writeFileSync(path, torn);
    expect(() => opened(path)).toThrow(`${path} is not a file of this doctor: name another one`);
    expect(readFileSync(path, "utf8")).toBe(torn);
  });
});
