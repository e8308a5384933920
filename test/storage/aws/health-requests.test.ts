/** How the stores find out whether bucket and tables exist and take writes. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { StartError } from "../../../src/runtime/start-error.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { StorageUnavailable } from "../../../src/storage/contract.ts";
import { failureOf } from "../../support/failure-of.ts";
import {
  dynamoDbRefusal,
  dynamoDbSuccess,
  type Respond,
  refused,
  responding,
  s3Refusal,
  scriptedAws,
} from "../../support/scripted-aws.ts";

const NOW_MS = 1_764_000_000_000;
const PROBE = "writable/ab";
const TABLES = ["backups", "factors", "history", "one-time"];
const OPTIONS = {
  clock: { nowMs: () => NOW_MS, elapsedMs: () => 0 },
  random: { bytes: (length: number) => new Uint8Array(length).fill(0xab), uuid: () => "uuid" },
  retry: { budgetMs: -1 },
};

const aws = await scriptedAws();
const records = await openAwsRecords(aws.config, OPTIONS);
const blobs = await openAwsBlobs(aws.config, OPTIONS);
afterAll(async () => {
  await records[Symbol.asyncDispose]();
  await blobs[Symbol.asyncDispose]();
});

const active = dynamoDbSuccess({ Table: { TableStatus: "ACTIVE" } });
const missing = dynamoDbRefusal("ResourceNotFoundException");
const tableOf = (body: string): string => JSON.parse(body).TableName;
const tablesSeen = () => aws.seen.map(({ body }) => tableOf(body)).sort();

/** To a request about one table so, and to those about the others as to a table in use. */
function respondAbout(table: string, respond: Respond, others = active): void {
  aws.respond = (response, request) =>
    (tableOf(request.body) === table ? respond : others)(response, request);
}

describe("the tables are ready", () => {
  test.each(["ACTIVE", "UPDATING"])("where all are %s", async (TableStatus) => {
    aws.respond = dynamoDbSuccess({ Table: { TableStatus } });
    await records.ready();
    expect(tablesSeen()).toEqual(TABLES);
  });

  for (const table of TABLES)
    test.each([
      ["DELETING", { Table: { TableStatus: "DELETING" } }],
      ["in no known state", {}],
    ])(`unless ${table} is %s`, async (state, members) => {
      respondAbout(table, dynamoDbSuccess(members));
      const error = await failureOf(records.ready());
      expect(error).toBeInstanceOf(StorageUnavailable);
      expect(error).toHaveProperty("message", `the DynamoDB table ${table} cannot be used: it is ${state}`);
    });

  test("unless DynamoDB refuses", async () => {
    aws.respond = refused;
    expect(await failureOf(records.ready())).toBeInstanceOf(StorageUnavailable);
  });
});

describe("the start of a service", () => {
  const start = async () => {
    await using _records = await openAwsRecords(aws.config, { ...OPTIONS, serves: true });
  };

  test("asks for each table, whatever its state", async () => {
    aws.respond = dynamoDbSuccess({ Table: { TableStatus: "CREATING" } });
    await start();
    expect(tablesSeen()).toEqual(TABLES);
  });

  test("alone requires them: another program opens the records without a request", async () => {
    aws.respond = missing;
    await (await openAwsRecords(aws.config, OPTIONS))[Symbol.asyncDispose]();
    expect(aws.seen).toEqual([]);
  });

  for (const table of TABLES)
    test(`fails without ${table}`, async () => {
      respondAbout(table, missing);
      expect(await failureOf(start())).toEqual(
        new StartError(`DynamoDB has no table ${table}: \`bun run aws:setup\` creates what is missing`),
      );
    });

  test("names all tables that are missing", async () => {
    respondAbout("factors", missing);
    respondAbout("history", missing, aws.respond);
    expect(await failureOf(start())).toEqual(
      new StartError(
        "DynamoDB has no table factors and no table history: `bun run aws:setup` creates what is missing",
      ),
    );
  });

  test("does not depend on whether DynamoDB responds, and depends on what nobody expects", async () => {
    aws.respond = refused;
    await start();
    aws.respond = dynamoDbRefusal("ValidationException");
    expect(await failureOf(start())).toMatchObject({ name: "ValidationException" });
  });
});

describe("the tables take writes", () => {
  const WRITES: Readonly<Record<string, object>> = {
    "one-time": { Item: expect.objectContaining({ PK: { S: PROBE } }) },
    factors: { Key: { PK: { S: PROBE } } },
    backups: { Key: { BackupId: { S: PROBE } } },
    history: { Key: { PK: { S: PROBE }, SK: { S: PROBE } } },
  };

  beforeEach(() => {
    aws.respond = dynamoDbSuccess({});
  });

  test("where each takes one", async () => {
    await records.writable();
    const written = aws.seen.map(({ operation, body }) => ({ operation, ...JSON.parse(body) }));
    expect(written).toHaveLength(TABLES.length);
    for (const [TableName, members] of Object.entries(WRITES)) {
      const operation = "Item" in members ? "PutItem" : "DeleteItem";
      expect(written).toContainEqual({ operation, TableName, ...members });
    }
  });

  test("and the item that is written expires later", async () => {
    await records.writable();
    const { body = "{}" } = aws.seen.find(({ operation }) => operation === "PutItem") ?? {};
    const { ExpiresAt, ExpiresAtMs } = JSON.parse(body).Item;
    expect(Number(ExpiresAtMs.N)).toBe(NOW_MS + 60_000);
    expect(Number(ExpiresAt.N)).toBeGreaterThan(NOW_MS / 1000);
  });

  for (const table of TABLES)
    test(`unless ${table} does not`, async () => {
      respondAbout(table, refused, aws.respond);
      const error = await failureOf(records.writable());
      expect(error).toBeInstanceOf(StorageUnavailable);
      expect(error).toHaveProperty("message", `the DynamoDB table ${table} takes no write`);
    });
});

describe("the bucket", () => {
  test("is asked for by one request", async () => {
    aws.respond = responding(200);
    await blobs.ready();
    expect(aws.seen.map(({ method, target }) => [method, target])).toEqual([["HEAD", "/bucket/"]]);
  });

  test.each([
    [404, "the S3 bucket bucket cannot be used: it does not exist; `bun run aws:setup` creates it"],
    [405, "the S3 bucket bucket cannot be used"],
  ])("is not ready where the status is %d", async (status, message) => {
    aws.respond = responding(status);
    const error = await failureOf(blobs.ready());
    expect(error).toBeInstanceOf(StorageUnavailable);
    expect(error).toHaveProperty("message", message);
  });

  test("takes writes where it takes an object that is no blob", async () => {
    aws.respond = responding(200);
    await blobs.writable();
    const [{ method, target, body } = { method: "", target: "", body: "" }, ...others] = aws.seen;
    expect([method, target.split("?", 1)[0], body.length]).toEqual(["PUT", `/bucket/${PROBE}`, 1]);
    expect(others).toEqual([]);
    aws.respond = s3Refusal(403, "AccessDenied");
    const error = await failureOf(blobs.writable());
    expect(error).toBeInstanceOf(StorageUnavailable);
    expect(error).toHaveProperty("message", "the S3 bucket bucket takes no write");
  });
});
