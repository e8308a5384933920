/** The items that the tables have. What an earlier version has stored is read by a later one, so none of this may change. */
import { describe, expect, test } from "bun:test";
import {
  backupKey,
  changedAtMsOf,
  counterUpdate,
  factorItem,
  factorKeyText,
  factorOf,
  type Item,
  isLive,
  json,
  jsonObject,
  KEYS,
  nonceItem,
  number,
  oneTimeKey,
  recordItem,
  recordOf,
  text,
  tokenItem,
  tokenOf,
} from "../../../src/storage/aws/tables.ts";
import { ChangeRefused, StorageUnavailable } from "../../../src/storage/contract.ts";
import { main, sync, version } from "../../contract/fixture.ts";

const SECONDS = 1_700_000_000;
const EXPIRY_MS = SECONDS * 1000;
/** DynamoDB deletes an hour after the expiry, in whole seconds. */
const EXPIRY = { ExpiresAtMs: { N: `${EXPIRY_MS}` }, ExpiresAt: { N: `${SECONDS + 3_600}` } };
const blob = { key: "b1/blobs/1", size: 3, sha256: "00" };
const state = { blob, metadata: { b: 1, a: [null] }, versions: [] };

/** The attribute that an outage names. */
function unreadable(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof StorageUnavailable && error.cause instanceof Error) return error.cause.message;
  }
  throw new Error("it was read");
}
const missing = (name: string) => `the attribute ${name} is missing or has another type`;

test("the tables have these keys", () => {
  expect(KEYS).toEqual({
    factorLookup: ["PK"],
    backups: ["BackupId"],
    oneTime: ["PK"],
    history: ["PK", "SK"],
  });
});

describe("the item of a record", () => {
  test("has its state, its revision and when it changed", () => {
    const item = {
      BackupId: { S: "b1" },
      Revision: { S: "r1" },
      BlobKey: { S: "b1/blobs/1" },
      BlobSize: { N: "3" },
      BlobSha256: { S: "00" },
      Metadata: { S: '{"b":1,"a":[null]}' },
      ChangedAtMs: { N: "7" },
    };
    expect(recordItem("b1", state, "r1", 7)).toEqual(item);
    expect(recordOf(item)).toEqual({ ...state, revision: "r1", changedAtMs: 7 });
  });

  test("has the time of change that it is given, or none", () => {
    for (const changedAtMs of [5, null]) {
      const item = recordItem("b1", { ...state, changedAtMs }, "r1", 7);
      expect(changedAtMsOf(item)).toBe(changedAtMs);
      expect("ChangedAtMs" in item).toBe(changedAtMs !== null);
    }
  });

  test("has its versions in one text", () => {
    const versions = [version("v1"), version("v2")];
    const item = recordItem("b1", { ...state, versions }, "r1", 7);
    expect(Object.keys(item.Versions ?? {})).toEqual(["S"]);
    expect(recordOf(item).versions).toEqual(versions);
    const malformed = { ...item, Versions: { S: "AAAA" } };
    expect(unreadable(() => recordOf(malformed))).toBe(missing("Versions"));
  });

  test("is refused where it takes more than 399 KiB of names and values", () => {
    const fill = (length: number) =>
      recordItem("b1", { ...state, metadata: { x: "ä".repeat(length) } }, "r1", 7);
    const bytes = (item: Item) =>
      Object.entries(item).reduce((sum, [name, { S = "", N = "" }]) => {
        return sum + name.length + Buffer.byteLength(S + N);
      }, 0);
    const empty = bytes(fill(0));
    const most = Math.floor((399 * 1024 - empty) / 2);
    expect(bytes(fill(most))).toBeGreaterThan(399 * 1024 - 2);
    expect(() => fill(most + 1)).toThrow(ChangeRefused);
    const odd = "x".repeat((399 * 1024 - empty) % 2);
    const exact = { ...state, metadata: { x: "ä".repeat(most) + odd } };
    expect(bytes(recordItem("b1", exact, "r1", 7))).toBe(399 * 1024);
    const larger = { ...state, metadata: { x: `${"ä".repeat(most)}${odd}x` } };
    expect(() => recordItem("b1", larger, "r1", 7)).toThrow(ChangeRefused);
  });
});

describe("the row of a factor", () => {
  test("has its scope before its key, whatever is in the key", () => {
    const item = { PK: { S: "SYNC#a#b" }, BackupId: { S: "b1" }, CreatedAt: { N: "7" } };
    expect(factorItem(sync("a#b"), "b1", 7)).toEqual(item);
    expect(factorOf(item)).toEqual({ scope: "SYNC", key: "a#b", stored: true });
    expect(factorOf({ PK: { S: "MAIN#" } })).toEqual({ scope: "MAIN", key: "", stored: true });
    for (const PK of ["OTHER#a", "MAIN", "#a", ""])
      expect(unreadable(() => factorOf({ PK: { S: PK } }))).toBe(missing("PK"));
  });

  test("has a hash in the place of a long key, once", () => {
    expect(factorKeyText(main("x".repeat(2_000)))).toBe(`MAIN#${"x".repeat(2_000)}`);
    const stored = factorKeyText(main("x".repeat(2_001)));
    expect(stored).toMatch(/^MAIN#SHA-256\|[0-9a-f]{64}$/);
    expect(factorKeyText(factorOf({ PK: { S: stored } }))).toBe(stored);
  });
});

describe("what is used once", () => {
  test("is a nonce, with its consumer where that may release it", () => {
    const nonce = { id: "n1", expiresAtMs: EXPIRY_MS };
    const item = { PK: { S: "n1" }, ...EXPIRY, Spent: { BOOL: true } };
    expect(nonceItem(nonce, null)).toEqual(item);
    expect(nonceItem(nonce, "c1")).toEqual({ ...item, SpentBy: { S: "c1" } });
    expect(tokenOf(item)).toBeNull();
    expect(oneTimeKey("x".repeat(2_000)).PK?.S).toHaveLength(2_000);
    expect(oneTimeKey("x".repeat(2_001)).PK?.S).toStartWith("SHA-256|");
  });

  test("is a token, which is redeemed where it says so", () => {
    const item = tokenItem({ id: "t1", expiresAtMs: EXPIRY_MS, backupId: "b1", holder: "h1" });
    expect(item).toEqual({
      ...{ PK: { S: "t1" }, ...EXPIRY, Spent: { BOOL: false } },
      ...{ BackupId: { S: "b1" }, Holder: { S: "h1" } },
    });
    expect(tokenOf(item)).toEqual({ backupId: "b1", holder: "h1", redeemed: false });
    expect(tokenOf({ ...item, Spent: { BOOL: true } })).toMatchObject({ redeemed: true });
  });

  test("is live until it expires, and is deleted no earlier, in whole seconds", () => {
    expect(isLive(EXPIRY, EXPIRY_MS - 1)).toBe(true);
    expect(isLive(EXPIRY, EXPIRY_MS)).toBe(false);
    const { ExpiresAt } = nonceItem({ id: "n1", expiresAtMs: EXPIRY_MS + 1 }, null);
    expect(ExpiresAt).toEqual({ N: `${SECONDS + 3_601}` });
  });

  test("is a counter of a name that no nonce and no token has", () => {
    expect(counterUpdate("one-time", "c1", 3, EXPIRY_MS)).toEqual({
      TableName: "one-time",
      Key: { PK: { S: "counter|c1" } },
      UpdateExpression: "ADD CounterSum :amount SET ExpiresAtMs = :ms, ExpiresAt = :seconds",
      ExpressionAttributeValues: {
        ...{ ":amount": { N: "3" }, ":ms": EXPIRY.ExpiresAtMs, ":seconds": EXPIRY.ExpiresAt },
      },
    });
  });
});

describe("an attribute", () => {
  test("is read as what it is, and as nothing else", () => {
    expect(text({ a: { S: "" } }, "a")).toBe("");
    expect(number({ a: { N: "-1.5" } }, "a")).toBe(-1.5);
    expect(jsonObject({ a: { S: '{"x":1}' } }, "a")).toEqual({ x: 1 });
    expect(json({ a: { S: "[1]" } }, "a")).toEqual([1]);
    expect(backupKey("b1")).toEqual({ BackupId: { S: "b1" } });
    const wrong: Record<string, unknown> = { a: { N: "1", S: "1" }, number: { S: 1, N: 1 }, none: {} };
    const of = (value: unknown): Item => Object({ a: value });
    for (const read of [
      () => text(of(wrong.number), "a"),
      () => text(of(wrong.none), "a"),
      () => text({}, "a"),
      () => number(of(wrong.number), "a"),
      () => number({ a: { N: "" } }, "a"),
      () => number({ a: { N: "x" } }, "a"),
      () => number({ a: { N: "Infinity" } }, "a"),
      () => number({}, "a"),
      () => json({ a: { S: "{" } }, "a"),
      () => jsonObject({ a: { S: "[]" } }, "a"),
      () => jsonObject({ a: { S: "null" } }, "a"),
      () => jsonObject({ a: { S: '"x"' } }, "a"),
    ])
      expect(unreadable(read)).toBe(missing("a"));
  });
});
