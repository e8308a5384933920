import { describe, expect, test } from "bun:test";
import { readMetadata, storedMetadata } from "../../src/backups/model.ts";
import {
  isOfNewerSchema,
  type Migration,
  migrated,
  NewerSchema,
  withSchemaVersion,
} from "../../src/backups/schema-version.ts";
import type { JsonObject } from "../../src/storage/contract.ts";

/** Two versions that never were: `label` becomes `name`, then `names`. */
const MIGRATIONS: readonly Migration[] = [
  ({ label = null, ...others }) => ({ ...others, name: label }),
  ({ name = null, ...others }) => ({ ...others, names: [name] }),
];

const METADATA = {
  id: "backup_account_x",
  manifestHash: "00".repeat(32),
  keys: [],
  factors: [],
  syncFactors: [],
  future: { member: [1] },
};

describe("stored metadata", () => {
  test.each<[version: string, stored: JsonObject]>([
    ["without a version", { label: "x", future: 1 }],
    ["of version 1", { schemaVersion: 1, label: "x", future: 1 }],
    ["of version 2", { schemaVersion: 2, name: "x", future: 1 }],
    ["of version 3", { schemaVersion: 3, names: ["x"], future: 1 }],
  ])("%s is read as the current version, with members that no version knows", (_version, stored) => {
    const before = structuredClone(stored);
    expect(migrated(stored, MIGRATIONS)).toMatchObject({ names: ["x"], future: 1 });
    expect(stored).toEqual(before);
  });

  test("is stored with the current version, whichever it had, and read again as it is", () => {
    for (const stored of [{ label: "x" }, { schemaVersion: 2, name: "x" }]) {
      const rewritten = withSchemaVersion(migrated(stored, MIGRATIONS), MIGRATIONS);
      expect(rewritten).toEqual({ schemaVersion: 3, names: ["x"] });
      expect(migrated(rewritten, MIGRATIONS)).toEqual(rewritten);
    }
  });

  test("of a newer version is refused for the time being, and the error names both versions", () => {
    for (const [version, migrations] of [
      [2, []],
      [4, MIGRATIONS],
      [1_000_000, MIGRATIONS],
    ] as const) {
      const read = () => migrated({ schemaVersion: version }, migrations);
      expect(read).toThrow(NewerSchema);
      expect(read).toThrow(
        expect.objectContaining({
          code: "service_unavailable",
          message: expect.stringMatching(
            new RegExp(`version ${version}, .* knows ${migrations.length + 1}:`),
          ),
        }),
      );
    }
  });

  test("is of a newer version from the first that this one does not know", () => {
    const newer = (schemaVersion: number, migrations?: readonly Migration[]) =>
      isOfNewerSchema({ schemaVersion }, migrations);
    expect([newer(1), newer(2)]).toEqual([false, true]);
    expect([newer(3, MIGRATIONS), newer(4, MIGRATIONS)]).toEqual([false, true]);
    expect(isOfNewerSchema({})).toBe(false);
  });

  test("of a version that is no positive integer is damaged, not newer", () => {
    for (const schemaVersion of [0, -1, 1.5, Number.MAX_SAFE_INTEGER + 1, "2", "1", null, true, [1], {}]) {
      const read = () => migrated({ schemaVersion }, MIGRATIONS);
      expect(read).toThrow("no positive integer");
      expect(read).not.toThrow(NewerSchema);
    }
  });
});

describe("the metadata of this version", () => {
  test("is stored as earlier releases stored it, so that these can be rolled back to", () => {
    expect(storedMetadata(readMetadata(METADATA))).toEqual(METADATA);
  });

  test("may name its version", () => {
    const named = { ...METADATA, schemaVersion: 1 };
    expect(storedMetadata(readMetadata(named))).toEqual(named);
  });

  test("of an earlier version is migrated when it is read, and stored with its new version", () => {
    const { manifestHash, ...others } = METADATA;
    const migrations: Migration[] = [({ hash = null, ...rest }) => ({ ...rest, manifestHash: hash })];
    const read = readMetadata({ ...others, hash: manifestHash }, migrations);
    expect(read).toEqual(METADATA);
    expect(storedMetadata(read, migrations)).toEqual({ ...METADATA, schemaVersion: 2 });
  });

  test("does not pass for a newer one, whatever its members", () => {
    expect(() => readMetadata({ ...METADATA, schemaVersion: 2 })).toThrow(NewerSchema);
    expect(() => readMetadata({ schemaVersion: 2 })).toThrow(NewerSchema);
  });
});
