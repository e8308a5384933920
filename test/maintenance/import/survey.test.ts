import { expect, test } from "bun:test";
import { survey } from "../../../src/maintenance/import/survey.ts";
import type { LegacyPlace } from "../../../src/storage/legacy.ts";

async function* places(...modified: readonly (number | null)[]): AsyncGenerator<LegacyPlace> {
  for (const [index, modifiedAtMs] of modified.entries())
    yield { backupId: String(index), hasMetadata: true, modifiedAtMs, ciphertextBytes: index };
}

test("a survey counts what there is, and the time for what is read of it", async () => {
  const list = () => places(1_000, 2_000, 3_000, null);
  const all = { backups: 4, bytes: 6 };
  expect(await survey({ list }, 4, null)).toEqual({ ...all, atLeastS: 4 });
  expect(await survey({ list }, 4, 2_000)).toEqual({ ...all, atLeastS: 3 });
  expect(await survey({ list }, 4, 9_000)).toEqual({ ...all, atLeastS: 1 });
  expect(await survey({ list: () => places() }, 4, null)).toEqual({ backups: 0, bytes: 0, atLeastS: 0 });
});
