import { describe, expect, test } from "bun:test";
import { isUnchanged, StorageUnavailable } from "../../../src/storage/contract.ts";
import { asFailedWrite, query } from "../../../src/storage/local/outage.ts";

const sqliteError = (code: string) => Object.assign(new Error(code), { code });
/** As the query builder reports it. */
const wrapped = (code: string) => new Error("Failed query", { cause: sqliteError(code) });

function failedQuery(error: unknown): unknown {
  try {
    return query(() => {
      throw error;
    });
  } catch (thrown) {
    return thrown;
  }
}

describe("a query that fails", () => {
  test.each(["SQLITE_BUSY_SNAPSHOT", "SQLITE_IOERR_READ", "SQLITE_NOMEM"])("with %s is an outage", (code) => {
    for (const error of [sqliteError(code), wrapped(code)]) {
      const failure = failedQuery(error);
      expect(failure).toBeInstanceOf(StorageUnavailable);
      expect(failure).toMatchObject({ cause: error });
    }
  });

  test("for another reason keeps its error", () => {
    for (const error of [
      sqliteError("SQLITE_ERROR"),
      wrapped("SQLITE_CORRUPT"),
      new TypeError("wrong"),
      null,
    ])
      expect(failedQuery(error)).toBe(error);
  });
});

describe("a write that fails", () => {
  test.each([
    ["SQLITE_FULL", true],
    ["SQLITE_READONLY", true],
    ["SQLITE_IOERR_FSYNC", false],
  ])("with %s is an outage, in which it is certain that nothing changed: %p", (code, isCertain) => {
    for (const error of [sqliteError(code), wrapped(code)]) {
      const failure = asFailedWrite(error);
      expect(failure).toBeInstanceOf(StorageUnavailable);
      expect(isUnchanged(failure)).toBe(isCertain);
    }
  });

  test("for another reason keeps its error", () => {
    const error = sqliteError("SQLITE_CONSTRAINT_PRIMARYKEY");
    expect(asFailedWrite(error)).toBe(error);
  });
});
