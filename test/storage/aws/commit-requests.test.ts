/** The transactions of commits and consumptions, and what is made of the conditions that failed in them. */
import { afterAll, describe, expect, test } from "bun:test";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { type AwsStoreOptions, openAwsRecords } from "../../../src/storage/aws/records.ts";
import type { Change } from "../../../src/storage/contract.ts";
import { kept, MINUTE_MS, main, once, record, token } from "../../contract/fixture.ts";
import { cancelledTransaction, SIGNATURE_EXPIRED } from "../../support/dynamodb-proxy.ts";
import {
  dynamoDbRefusal,
  dynamoDbSuccess,
  type Respond,
  responding,
  type SeenRequest,
  scriptedAws,
} from "../../support/scripted-aws.ts";
import { SettableClock } from "../../support/settable-clock.ts";

const clock = new SettableClock();
const aws = await scriptedAws();
const options: AwsStoreOptions = {
  clock,
  random: systemRandom,
  retry: { budgetMs: 60_000, attemptMs: 60_000, firstPauseMs: 0 },
};
const records = await openAwsRecords(aws.config, options);
afterAll(() => records[Symbol.asyncDispose]());

const DONE = dynamoDbSuccess({});

/** The steps of a transaction, as `<table> <key>`. */
function stepsOf({ body }: Pick<SeenRequest, "body">): string[] {
  const { TransactItems = [] } = JSON.parse(body);
  return TransactItems.map((step: object) => {
    const { TableName, Key, Item } = Object.values(step)[0];
    const { PK, BackupId } = Key ?? Item;
    return `${TableName} ${(PK ?? BackupId).S}`;
  });
}
const transactions = () =>
  aws.seen.filter(({ operation }) => operation === "TransactWriteItems").map(stepsOf);

/** Cancels a transaction because the conditions of its steps that begin so do not hold. */
function failing(...steps: readonly string[]): Respond {
  return (response, request) => {
    const codes = stepsOf(request).map((step) =>
      steps.some((start) => step.startsWith(start)) ? "ConditionalCheckFailed" : "None",
    );
    const { status, body } = cancelledTransaction(...codes);
    response.writeHead(status).end(body);
  };
}

const update: Change = {
  ...{ backupId: "b1", expect: { revision: "r1" }, next: record("b1") },
  ...{ consume: [once("n1", clock)], claim: [main("k1")], forget: [kept("d1", clock)] },
};
const creation: Change = { ...update, expect: "absent" };
const many = Array.from({ length: 42 }, (_, index) => main(`k${index}`));

describe("a commit", () => {
  test.each([
    ["consumed", update, ["one-time", "backups", "history", "factors"]],
    ["exists", creation, ["backups", "history", "factors"]],
    ["revision", update, ["backups", "history", "factors"]],
    ["not-kept", update, ["history", "factors"]],
    ["factor-claimed", update, ["factors"]],
  ] as const)("ends with the first of its conflicts: %s", async (conflict, change, tables) => {
    aws.respondInOrder(failing(...tables));
    expect(await records.commit(change)).toBe(conflict);
    expect(aws.seen).toHaveLength(1);
  });

  test("is made without the rows that are not its own, and with everything else", async () => {
    const release = ["a", "b", "c"].map(main);
    aws.respondInOrder(failing("factors MAIN#a"), failing("factors MAIN#c"), DONE);
    expect(await records.commit({ ...update, forget: [], release })).toBe("committed");
    const rest = ["backups b1", "one-time n1", "factors MAIN#k1"];
    expect(transactions()).toEqual([
      [...rest, "factors MAIN#a", "factors MAIN#b", "factors MAIN#c"],
      [...rest, "factors MAIN#b", "factors MAIN#c"],
      [...rest, "factors MAIN#b"],
    ]);
  });

  test("that issues a token again fails", async () => {
    aws.respondInOrder(failing("one-time t1"));
    const issuing = records.commit({ ...update, issue: token("t1", "b1", clock) });
    await expect(issuing).rejects.toThrow("already issued");
    expect(aws.seen).toHaveLength(1);
  });

  test("consumes no id that it also redeems, and asks nothing for that", async () => {
    aws.respondInOrder(DONE);
    expect(await records.commit({ ...update, redeem: "n1" })).toBe("consumed");
    expect(aws.seen).toEqual([]);
    expect(await records.commit({ ...update, redeem: "t1" })).toBe("committed");
    expect(transactions()[0]).toContain("one-time t1");
  });

  test("of many rows does not claim again those that lead to its backup", async () => {
    const item = (key: string, backupId: string) => ({ PK: { S: `MAIN#${key}` }, BackupId: { S: backupId } });
    const found = (...factors: object[]) => dynamoDbSuccess({ Responses: { factors } });
    const [before, after] = [
      found(item("k40", "b1"), item("k41", "b2")),
      found(item("k40", "b1"), item("k41", "b1")),
    ];
    aws.respondInOrder(before, DONE, DONE, after);
    expect(await records.commit({ ...creation, claim: many })).toBe("committed");
    expect(JSON.parse(aws.seen[0]?.body ?? "")).toMatchObject({
      RequestItems: { factors: { Keys: [{ PK: { S: "MAIN#k40" } }, { PK: { S: "MAIN#k41" } }] } },
    });
    expect(transactions()[0]).toEqual(["backups b1", "factors MAIN#k41"]);
  });

  test("of many rows fails with the first of all conflicts, where one of the rows is claimed", async () => {
    const none = dynamoDbSuccess({ Responses: {} });
    aws.respondInOrder(none, failing("factors"), failing("factors none"));
    expect(await records.commit({ ...creation, claim: many })).toBe("factor-claimed");
    aws.respondInOrder(none, failing("factors"), failing("backups", "factors none"));
    expect(await records.commit({ ...creation, claim: many })).toBe("exists");
    expect(transactions()[1]?.at(-1)).toBe("factors none");
  });
});

describe("a consumption", () => {
  const nonces = [once("n1", clock)];
  const issue = token("t1", "b1", clock);

  test("of what is consumed is none, also where its token was issued", async () => {
    for (const steps of [["one-time n1"], ["one-time n1", "one-time t1"]]) {
      aws.respondInOrder(failing(...steps));
      expect(await records.consume(nonces, issue)).toBeNull();
      expect(aws.seen).toHaveLength(1);
    }
  });

  test("that issues a token again fails", async () => {
    aws.respondInOrder(failing("one-time t1"));
    await expect(records.consume(nonces, issue)).rejects.toThrow("already issued");
  });

  test("releases what is still its own, and leaves the rest", async () => {
    aws.respondInOrder(DONE, dynamoDbRefusal("ConditionalCheckFailedException"), DONE);
    const consumption = await records.consume(nonces, issue);
    await consumption?.release();
    expect(aws.seen.map(({ operation }) => operation)).toEqual([
      "TransactWriteItems",
      "UpdateItem",
      "UpdateItem",
    ]);
  });
});

test("the store reports a clock that is wrong", async () => {
  const messages: string[] = [];
  const onClockSkew = (message: string) => void messages.push(message);
  await using reporting = await openAwsRecords(aws.config, { ...options, onClockSkew });
  const date = new Date(Date.now() + 20 * MINUTE_MS).toUTCString();
  aws.respondInOrder(responding(SIGNATURE_EXPIRED.status, SIGNATURE_EXPIRED.body, { date }), DONE);
  expect(await reporting.read("b1")).toBeNull();
  expect(messages).toEqual(["the clock of this machine is 20 minutes behind AWS's"]);
});
