import { describe, expect, test } from "bun:test";
import type { FactorRef } from "../../src/storage/contract.ts";
import { legacyCiphertextKey, legacyMetadataKey, mayHaveLegacyRow } from "../../src/storage/legacy.ts";

const MAX_KEY_BYTES = 2_048;

describe("what the other service calls", () => {
  test("the objects of a backup", () => {
    expect(legacyMetadataKey("b1")).toBe("b1/metadata");
    expect(legacyCiphertextKey("b1", "archive_1")).toBe("b1/backups/archive_1");
    expect(legacyCiphertextKey("b1", null)).toBe("b1/backup"); // of older backups
  });

  test("a factor may be too long for a row, in bytes, or no text that DynamoDB takes", () => {
    const main = (key: string): FactorRef => ({ scope: "MAIN", key });
    const longest = MAX_KEY_BYTES - "MAIN#".length;
    for (const [key, mayHaveRow] of [
      ["k".repeat(longest), true],
      ["k".repeat(longest + 1), false],
      [`é${"k".repeat(longest - 2)}`, true],
      [`é${"k".repeat(longest - 1)}`, false],
      ["\ud83d\ude00", true],
      ["\ud83d", false],
    ] as const)
      expect(mayHaveLegacyRow(main(key))).toBe(mayHaveRow);
  });
});
