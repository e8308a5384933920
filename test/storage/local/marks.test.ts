import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import * as marks from "../../../src/storage/local/marks.ts";
import { migrate } from "../../../src/storage/local/migrations.ts";

test("the marks have the names that every version stores and reads", () => {
  using database = new Database(":memory:", { strict: true });
  migrate(database);
  marks.markInstallation(database, "id");
  marks.markMigratedBy(database, "1.2.3");
  marks.markSeen(database, 2);
  marks.markAsCopy(database, 3, 4);
  expect(database.query("SELECT name, value FROM marks ORDER BY name").values()).toEqual([
    ["copied-at-ms", "3"],
    ["installation-id", "id"],
    ["last-seen-ms", "2"],
    ["migrated-by", "1.2.3"],
    ["next-share", "4"],
  ]);
});
