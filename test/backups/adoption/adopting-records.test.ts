import { describe, expect, test } from "bun:test";
import { adoptingRecords } from "../../../src/backups/adoption/adopting-records.ts";
import type { Adoption } from "../../../src/backups/adoption/adoption.ts";
import { importMark } from "../../../src/backups/legacy/import-mark.ts";
import type { Change, FactorRef, RecordStore, StoredRecord } from "../../../src/storage/contract.ts";
import { main, record } from "../../contract/fixture.ts";
import { replaced } from "../../support/store-wrappers.ts";

const ID = "b1";
const FACTOR = main("factor");
const STORED: StoredRecord = { ...record(ID), revision: "r1", changedAtMs: 1 };
const UNKNOWN = { backupId: null, consumed: false };
const CREATION: Change = { backupId: ID, expect: "absent", next: record(ID), claim: [FACTOR] };
const DELETED = { deletedAtMs: 1, deletionId: "d1" };

/** Records that have nothing until an adoption has ended, which takes a turn of the event loop. */
function adopting(there: boolean, before: Awaited<ReturnType<RecordStore["locate"]>> = UNKNOWN) {
  const calls: string[] = [];
  let isHere = false;
  const adopt = async (call: string) => {
    calls.push(call);
    await new Promise<void>((resolve) => setImmediate(resolve));
    isHere = there;
    return there;
  };
  const adoption: Adoption = {
    ofFactors: (factors: readonly FactorRef[]) => adopt(`adopt by ${factors.map(({ key }) => key)}`),
    ofBackup: (backupId) => adopt(`adopt ${backupId}`),
  };
  const committed: Change[] = [];
  const records = replaced<RecordStore>({} as RecordStore, {
    async locate() {
      calls.push("locate");
      return isHere ? { backupId: ID, consumed: false } : before;
    },
    async read() {
      calls.push("read");
      return isHere ? STORED : null;
    },
    async commit(change) {
      calls.push(isHere || !there ? "commit" : "commit too early");
      committed.push(change);
      return "committed";
    },
  });
  return { records: adoptingRecords(records, adoption), calls, committed };
}

describe("a factor", () => {
  test("that is unknown is looked up there, and once more here where it was adopted", async () => {
    const { records, calls } = adopting(true);
    expect(await records.locate(FACTOR, [])).toEqual({ backupId: ID, consumed: false });
    expect(calls).toEqual(["locate", "adopt by factor", "locate"]);
  });

  test("that nobody has is unknown after one call there", async () => {
    const { records, calls } = adopting(false);
    expect(await records.locate(FACTOR, [])).toEqual(UNKNOWN);
    expect(calls).toEqual(["locate", "adopt by factor"]);
  });

  test.each([
    { backupId: ID, consumed: false },
    { backupId: null, consumed: true },
  ])("costs no call there where the store has %j", async (found) => {
    const { records, calls } = adopting(true, found);
    expect(await records.locate(FACTOR, [])).toEqual(found);
    expect(calls).toEqual(["locate"]);
  });
});

describe("a backup", () => {
  test("that is unknown is adopted and read", async () => {
    const { records, calls } = adopting(true);
    expect(await records.read(ID)).toEqual(STORED);
    expect(await records.read(ID)).toEqual(STORED);
    expect(calls).toEqual(["read", `adopt ${ID}`, "read", "read"]);
  });

  test("that nobody has is missing after one call there", async () => {
    const { records, calls } = adopting(false);
    expect(await records.read(ID)).toBeNull();
    expect(calls).toEqual(["read", `adopt ${ID}`]);
  });
});

describe("a commit", () => {
  test("of a new backup waits until its id and its factors are adopted", async () => {
    const { records, calls, committed } = adopting(true);
    await records.commit(CREATION);
    expect(calls).toEqual(["adopt by factor", `adopt ${ID}`, "commit"]);
    expect(committed).toEqual([CREATION]);
  });

  test.each<[string, Partial<Change>]>([
    ["a change of a record", { expect: { revision: "r1" } }],
    ["an undelete", { bringBack: DELETED }],
    ["a reset of what was deleted here", { forget: [DELETED] }],
  ])("of %s asks for its factors, and not for its id", async (_what, change) => {
    const { records, calls } = adopting(true);
    await records.commit({ ...CREATION, ...change });
    expect(calls).toEqual(["adopt by factor", "commit"]);
  });

  test("that deletes marks the id beside what else it marks", async () => {
    const { records, committed } = adopting(false);
    const nonce = { id: "nonce", expiresAtMs: 1 };
    const change: Change = { backupId: ID, expect: { revision: "r1" }, next: null };
    await records.commit(change);
    await records.commit({ ...change, mark: [nonce] });
    expect(committed).toEqual([
      { ...change, mark: [importMark(ID)] },
      { ...change, mark: [nonce, importMark(ID)] },
    ]);
  });
});
