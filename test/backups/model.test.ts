import { describe, expect, test } from "bun:test";
import { type BackupMetadata, isSameBackup, readMetadata } from "../../src/backups/model.ts";

const keypair = (id: string) => ({
  id,
  createdAt: 1,
  kind: { kind: "EC_KEYPAIR", publicKey: id } as const,
});

function metadata(main: string, sync: string): BackupMetadata {
  return {
    id: "b",
    manifestHash: "aa",
    keys: [],
    factors: [keypair(main)],
    syncFactors: [keypair(sync)],
  };
}

describe("two states are of the same backup", () => {
  test.each([
    [true, "a factor of each scope", metadata("m", "s")],
    [true, "a main factor", metadata("m", "other")],
    [true, "a sync factor", metadata("other", "s")],
    [false, "no factor", metadata("other", "another")],
  ])("%p with %s in common", (isSame, _, other) => {
    expect(isSameBackup(metadata("m", "s"), other)).toBe(isSame);
    expect(isSameBackup(other, metadata("m", "s"))).toBe(isSame);
  });
});

test("metadata that does not fit is not read, and the error names the member", () => {
  for (const [stored, path] of [
    ["{}", "/id"],
    ['{"id":"b","manifestHash":"aa","keys":{},"factors":[],"syncFactors":[]}', "/keys"],
    ["[]", "/"],
  ] as const)
    expect(() => readMetadata(JSON.parse(stored))).toThrow(`does not fit its schema at ${path}: Expected`);
});
