import { expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { createKeyFilter } from "../../src/maintenance/key-filter.ts";
import { systemRandom } from "../../src/runtime/clock.ts";

test("a filter has every key that was added, and hardly any other", () => {
  const filter = createKeyFilter(systemRandom);
  const added = Array.from({ length: 20_000 }, () => randomUUID());
  for (const key of added) filter.add(key);
  expect(added.every((key) => filter.mayHave(key))).toBe(true);
  const others = Array.from({ length: 20_000 }, () => randomUUID());
  expect(others.filter((key) => filter.mayHave(key))).toEqual([]);
});
