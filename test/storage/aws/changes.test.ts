/** The writes of a change, under which conditions, and what the commit returns where one fails. */
import { describe, expect, test } from "bun:test";
import {
  changeSteps,
  consumeSteps,
  distinctFactors,
  failingStep,
  releaseUpdates,
  type Step,
} from "../../../src/storage/aws/changes.ts";
import { factorItem, nonceItem, recordItem, tokenItem } from "../../../src/storage/aws/tables.ts";
import type { Change } from "../../../src/storage/contract.ts";
import { main, record, sync } from "../../contract/fixture.ts";
import { awsConfigAt } from "../../support/aws-config.ts";

const TABLES = awsConfigAt("http://store.example").tables;
const NOW_MS = 1_000;
const NOW = { N: "1000" };
const nonce = (id: string) => ({ id, expiresAtMs: 2_000 });
const token = { id: "t1", expiresAtMs: 2_000, backupId: "b1", holder: "h1" };
const next = record("b1");

const CREATION: Change = { backupId: "b1", expect: "absent", next };
const UPDATE: Change = { ...CREATION, expect: { revision: "r1" } };

/** All that a change writes beside its record. */
const stepsOf = (part: Partial<Change>) => changeSteps(TABLES, { ...UPDATE, ...part }, "r2", NOW_MS).slice(1);
const recordStepOf = (change: Change) => changeSteps(TABLES, change, "r2", NOW_MS)[0];
/** Their kind, the key of what they write, and what they mean. */
const names = (steps: readonly Step[]) =>
  steps.map(({ write: { Put, Delete, Update }, otherwise }) => {
    const key = Put?.Item ?? Delete?.Key ?? Update?.Key ?? {};
    return [Put ? "put" : Delete ? "delete" : "update", key.PK?.S, otherwise];
  });

describe("the record", () => {
  const item = recordItem("b1", next, "r2", NOW_MS);
  const revision = { ":revision": { S: "r1" } };

  test("is created where there is none, in a transaction", () => {
    const ConditionExpression = "attribute_not_exists(BackupId)";
    expect(recordStepOf(CREATION)).toEqual({
      write: { Put: { TableName: "backups", Item: item, ConditionExpression } },
      otherwise: "exists",
    });
    expect(recordStepOf({ ...CREATION, next: null })).toEqual({
      write: { Delete: { TableName: "backups", Key: { BackupId: { S: "b1" } }, ConditionExpression } },
      otherwise: "exists",
    });
  });

  test("is replaced or deleted at its revision; a write alone also finds what it has written", () => {
    const condition = { ConditionExpression: "Revision = :revision", ExpressionAttributeValues: revision };
    expect(recordStepOf(UPDATE)).toEqual({
      write: { Put: { TableName: "backups", Item: item, ...condition } },
      otherwise: "revision",
      alone: {
        put: {
          TableName: "backups",
          Item: item,
          ConditionExpression: "Revision IN (:revision, :next)",
          ExpressionAttributeValues: { ...revision, ":next": { S: "r2" } },
        },
        isReplaceable: true,
      },
    });
    expect(recordStepOf({ ...UPDATE, next: null })).toEqual({
      write: { Delete: { TableName: "backups", Key: { BackupId: { S: "b1" } }, ...condition } },
      otherwise: "revision",
    });
  });
});

describe("index rows", () => {
  test("are claimed where there is none, and released where they are of the backup, each once", () => {
    const steps = stepsOf({
      claim: [main("a"), main("a"), sync("a")],
      release: [main("b"), main("a"), main("b")],
    });
    expect(names(steps)).toEqual([
      ["put", "MAIN#a", "factor-claimed"],
      ["put", "SYNC#a", "factor-claimed"],
      ["delete", "MAIN#b", "not-ours"],
    ]);
    expect(steps[0]?.write.Put).toEqual({
      TableName: "factors",
      Item: factorItem(main("a"), "b1", NOW_MS),
      ConditionExpression: "attribute_not_exists(PK)",
    });
    expect(steps[2]?.write.Delete).toEqual({
      TableName: "factors",
      Key: { PK: { S: "MAIN#b" } },
      ConditionExpression: "attribute_not_exists(PK) OR BackupId = :backup",
      ExpressionAttributeValues: { ":backup": { S: "b1" } },
    });
    expect(distinctFactors([main("a"), sync("a"), main("a")])).toEqual([main("a"), sync("a")]);
  });

  test("are claimed in vain by a step that no row can fulfil, and that writes nothing", () => {
    const { write, otherwise } = failingStep("factors");
    expect(otherwise).toBe("factor-claimed");
    expect(write).toEqual({
      Delete: {
        TableName: "factors",
        Key: { PK: { S: "none" } },
        ConditionExpression: "attribute_exists(PK) AND attribute_not_exists(PK)",
      },
    });
  });
});

describe("nonces and tokens", () => {
  const unused = {
    ConditionExpression: "attribute_not_exists(PK) OR ExpiresAtMs <= :now",
    ExpressionAttributeValues: { ":now": NOW },
  };

  test("are consumed, issued, marked and redeemed with a change, each once", () => {
    const steps = stepsOf({
      consume: [nonce("n1"), nonce("n1"), nonce("n2")],
      issue: token,
      mark: [nonce("n2"), nonce("n3"), nonce("n3")],
      redeem: "t0",
    });
    expect(names(steps)).toEqual([
      ["put", "n1", "consumed"],
      ["put", "n2", "consumed"],
      ["put", "t1", "issued"],
      ["put", "n3", "consumed"],
      ["update", "t0", "consumed"],
    ]);
    expect(steps.map(({ write }) => write)).toEqual([
      { Put: { TableName: "one-time", Item: nonceItem(nonce("n1"), null), ...unused } },
      { Put: { TableName: "one-time", Item: nonceItem(nonce("n2"), null), ...unused } },
      { Put: { TableName: "one-time", Item: tokenItem(token), ...unused } },
      { Put: { TableName: "one-time", Item: nonceItem(nonce("n3"), null) } },
      {
        Update: {
          TableName: "one-time",
          Key: { PK: { S: "t0" } },
          UpdateExpression: "SET Spent = :true",
          ConditionExpression: "BackupId = :backup AND Spent = :false AND ExpiresAtMs > :now",
          ExpressionAttributeValues: {
            ...{ ":backup": { S: "b1" }, ":now": NOW },
            ...{ ":true": { BOOL: true }, ":false": { BOOL: false } },
          },
        },
      },
    ]);
    expect(steps.filter((step) => "alone" in step)).toEqual([]);
    expect(stepsOf({})).toEqual([]);
  });

  test("that one call consumes are written alone where it recognises them", () => {
    const [step, ...others] = consumeSteps(TABLES, [nonce("n1")], undefined, NOW_MS, "c1");
    expect(others).toEqual([]);
    expect(step?.write.Put?.Item).toEqual(nonceItem(nonce("n1"), "c1"));
    expect(step?.alone).toEqual({
      put: {
        TableName: "one-time",
        Item: nonceItem(nonce("n1"), "c1"),
        ConditionExpression:
          "attribute_not_exists(PK) OR (ExpiresAtMs <= :now AND NOT SpentBy = :consumer) OR (SpentBy = :consumer AND ExpiresAtMs = :expiry)",
        ExpressionAttributeValues: { ":now": NOW, ":consumer": { S: "c1" }, ":expiry": { N: "2000" } },
      },
      isReplaceable: false,
    });
  });

  test("are released by their consumer alone, and a token unless it was redeemed or issued again", () => {
    const expire = (id: string, condition: string, values: object) => ({
      TableName: "one-time",
      Key: { PK: { S: id } },
      UpdateExpression: "SET ExpiresAtMs = :expired",
      ConditionExpression: condition,
      ExpressionAttributeValues: { ...values, ":expired": { N: "0" } },
    });
    const ofNonce = expire("n1", "SpentBy = :consumer", { ":consumer": { S: "c1" } });
    const ofToken = expire("t1", "BackupId = :backup AND ExpiresAtMs = :expiry AND Spent = :false", {
      ...{ ":backup": { S: "b1" }, ":expiry": { N: "2000" }, ":false": { BOOL: false } },
    });
    const nonces = [nonce("n1"), nonce("n1")];
    expect(releaseUpdates("one-time", nonces, undefined, "c1")).toEqual([ofNonce]);
    expect(releaseUpdates("one-time", nonces, token, "c1")).toEqual([ofNonce, ofToken]);
  });
});
