import { expect, test } from "bun:test";
import { placesOf } from "../../../src/storage/aws/legacy/places.ts";

async function* listed(...keys: string[]) {
  for (const key of keys) yield { key, size: 10, storedAtMs: key.length };
}

test("the objects of an id are one place, and what has another form is of none", async () => {
  const objects = listed(
    "a/backup",
    "a/backups/archive_1",
    "a/backups/archive_2",
    "a/metadata",
    "b/metadata",
    "b/blobs/0",
    "c/backups/deep/er",
    "c/other",
    "d/backup",
    "readme",
  );
  expect(await Array.fromAsync(placesOf(objects))).toEqual([
    { backupId: "a", hasMetadata: true, modifiedAtMs: 10, ciphertextBytes: 30 },
    { backupId: "b", hasMetadata: true, modifiedAtMs: 10, ciphertextBytes: null },
    { backupId: "d", hasMetadata: false, modifiedAtMs: null, ciphertextBytes: 10 },
  ]);
  expect(await Array.fromAsync(placesOf(listed()))).toEqual([]);
});
