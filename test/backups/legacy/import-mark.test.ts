import { expect, test } from "bun:test";
import { importMark } from "../../../src/backups/legacy/import-mark.ts";

test("the mark of an import lasts until the end of the year 9999, and is of one backup", () => {
  const expiresAtMs = Date.parse("9999-12-31T23:59:59.999Z");
  expect(importMark("b1")).toEqual({ id: "imported|b1", expiresAtMs });
});
