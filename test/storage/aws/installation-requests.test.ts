/** The marks of an installation on the tables and in the bucket: how they are written, and what is read as one. */
import { afterAll, describe, expect, test } from "bun:test";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { systemClock, systemRandom } from "../../../src/runtime/clock.ts";
import { openAwsBlobs } from "../../../src/storage/aws/blobs.ts";
import { openAwsRecords } from "../../../src/storage/aws/records.ts";
import { NewerFormat, StorageUnavailable } from "../../../src/storage/contract.ts";
import { collect } from "../../contract/fixture.ts";
import { failureOf } from "../../support/failure-of.ts";
import {
  dynamoDbRefusal,
  dynamoDbSuccess,
  refused,
  responding,
  s3Refusal,
  scriptedAws,
} from "../../support/scripted-aws.ts";

type Item = Record<string, AttributeValue>;

const KEY = { BackupId: { S: "#installation" } };
const KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

const aws = await scriptedAws();
const options = { clock: systemClock, random: systemRandom, retry: { budgetMs: -1 } };
const records = await openAwsRecords(aws.config, options);
const blobs = await openAwsBlobs({ ...aws.config, kmsKeyArn: KMS_KEY }, options);
afterAll(async () => {
  await records[Symbol.asyncDispose]();
  await blobs[Symbol.asyncDispose]();
});

const respondWith = (members: object) => {
  aws.respond = dynamoDbSuccess(members);
};
const respondWithItem = (item: Item) => respondWith({ Item: { ...KEY, ...item } });
const CONFLICT = dynamoDbRefusal("ConditionalCheckFailedException");
const bodies = () => aws.seen.map(({ body }): unknown => JSON.parse(body));

describe("the item of the installation", () => {
  test("is read by its key, and lacks what was not written yet", async () => {
    respondWithItem({ Installation: { S: "i1" } });
    expect(await records.installationId()).toBe("i1");
    expect(await records.lastSeenMs()).toBeNull();
    expect(await records.restores()).toEqual([]);
    expect(bodies()).toEqual(
      Array.from({ length: 3 }, () => ({ TableName: "backups", Key: KEY, ConsistentRead: true })),
    );
    respondWith({});
    expect(await records.installationId()).toBeNull();
    expect(await records.lastSeenMs()).toBeNull();
    expect(await records.restores()).toEqual([]);
    expect(await records.format()).toMatchObject({ version: 1 });
  });

  test("has the last time of service, and the restores in their order", async () => {
    const restore = (at: number) => ({
      M: { CopiedAtMs: { N: `${at}` }, RestoredAtMs: { N: `${at + 1}` } },
    });
    respondWithItem({ LastSeenMs: { N: "7" }, Restores: { L: [restore(1), restore(5)] } });
    expect(await records.lastSeenMs()).toBe(7);
    expect(await records.restores()).toEqual([
      { copiedAtMs: 1, restoredAtMs: 2 },
      { copiedAtMs: 5, restoredAtMs: 6 },
    ]);
  });

  test("of a layout that is known is read, and of a later one or none that is refused", async () => {
    const read = () => records.installationId();
    for (const Layout of ["0", "1"]) {
      respondWithItem({ Installation: { S: "i1" }, Layout: { N: Layout } });
      expect(await read()).toBe("i1");
      expect(await records.format()).toEqual({
        name: "layout of tables and bucket",
        version: Number(Layout),
      });
    }
    for (const item of [{ Layout: { N: "2" } }, { Layout: { N: "2" }, LayoutBy: { S: "9.8.7" } }]) {
      respondWithItem({ Installation: { S: "i1" }, ...item });
      const error = await failureOf(read());
      expect(error).toBeInstanceOf(NewerFormat);
      expect(`${error}`).toContain("what DynamoDB and S3 have has format 2");
      expect(`${error}`).toContain("LayoutBy" in item ? "start 9.8.7 or" : "start that version or");
      await expect(records.lastSeenMs()).rejects.toBeInstanceOf(NewerFormat);
    }
    for (const Layout of ["1.5", "x"]) {
      respondWithItem({ Installation: { S: "i1" }, Layout: { N: Layout } });
      const error = await failureOf(read());
      expect(error).toBeInstanceOf(StorageUnavailable);
      expect(error).not.toBeInstanceOf(NewerFormat);
      expect(`${error instanceof Error && error.cause}`).toContain("the attribute Layout");
    }
  });

  test("with restores that cannot be read is an outage that names them", async () => {
    for (const L of ["x", [null]]) {
      respondWith({ Item: { ...KEY, Restores: { L } } });
      const error = await failureOf(records.restores());
      expect(error).toBeInstanceOf(StorageUnavailable);
      expect(`${error instanceof Error && error.cause}`).toContain("the attribute Restores");
    }
  });

  test("is written unless it is there, and then has the id that was there", async () => {
    const other = dynamoDbSuccess({ Item: { ...KEY, Installation: { S: "other" } } });
    aws.respondInOrder(CONFLICT, other);
    expect(await records.markInstallation("i1")).toBe("other");
    expect(bodies()[0]).toEqual({
      TableName: "backups",
      Item: { ...KEY, Installation: { S: "i1" } },
      ConditionExpression: "attribute_not_exists(BackupId)",
    });
    respondWith({}); // deleted meanwhile
    expect(await records.markInstallation("i1")).toBe("i1");
  });

  test("keeps a time of service that is later", async () => {
    aws.respond = CONFLICT;
    await records.markSeen(7);
    expect(bodies()).toEqual([
      {
        TableName: "backups",
        Key: KEY,
        UpdateExpression: "SET LastSeenMs = :now",
        ConditionExpression:
          "attribute_exists(BackupId) AND (attribute_not_exists(LastSeenMs) OR LastSeenMs < :now)",
        ExpressionAttributeValues: { ":now": { N: "7" } },
      },
    ]);
  });

  test("is given one restore more", async () => {
    respondWith({});
    await records.noteRestore({ copiedAtMs: 1, restoredAtMs: 2 });
    const restore = { M: { CopiedAtMs: { N: "1" }, RestoredAtMs: { N: "2" } } };
    expect(bodies()).toMatchObject([
      {
        TableName: "backups",
        Key: KEY,
        ConditionExpression: "attribute_exists(BackupId)",
        ExpressionAttributeValues: { ":none": { L: [] }, ":restore": { L: [restore] } },
      },
    ]);
    aws.respond = CONFLICT;
    await expect(records.noteRestore({ copiedAtMs: 1, restoredAtMs: 2 })).rejects.toThrow("noted");
  });

  test("is not written where DynamoDB refuses it", async () => {
    aws.respond = refused;
    for (const call of [
      () => records.markInstallation("i1"),
      () => records.markSeen(7),
      () => records.noteRestore({ copiedAtMs: 1, restoredAtMs: 2 }),
    ])
      await expect(call()).rejects.toBeInstanceOf(StorageUnavailable);
    expect(aws.seen).toHaveLength(3);
  });

  test("is not listed with the backups, nor counted", async () => {
    const record = { BlobKey: { S: "b1/blobs/1" }, BlobSize: { N: "1" }, BlobSha256: { S: "00" } };
    const item = (id: string) => ({ BackupId: { S: id }, ...record });
    const installation = { ...KEY, Installation: { S: "i1" } };
    aws.respondInOrder(
      dynamoDbSuccess({
        Items: [installation, item("b2")],
        LastEvaluatedKey: { BackupId: { S: "b2" } },
      }),
      dynamoDbSuccess({ Items: [item("b3")] }),
    );
    const listed = await collect(records.list("b1"));
    expect(listed.map(({ backupId, changedAtMs }) => [backupId, changedAtMs])).toEqual([
      ["b2", null],
      ["b3", null],
    ]);
    expect(bodies()).toMatchObject(
      ["b1", "b2"].map((id) => ({ ExclusiveStartKey: { BackupId: { S: id } } })),
    );
    for (const [ItemCount, count] of [
      [3, 2],
      [1, 0],
      [0, 0],
      [undefined, 0],
    ] as const) {
      respondWith({ Table: { ItemCount } });
      expect(await records.recentCount()).toBe(count);
    }
    respondWith({});
    expect(await records.recentCount()).toBe(0);
  });
});

const object = (text: string) => responding(200, text, { etag: '"x"' });

describe("the marks in the bucket", () => {
  test("are read without spaces around them, up to a hundred characters", async () => {
    aws.respond = object(" i1\n");
    expect(await blobs.installationId()).toBe("i1");
    aws.respond = object(" 7\n");
    expect(await blobs.lastSeenMs()).toBe(7);
    expect(aws.seen.map(({ target }) => target.replace(/\?.*/, ""))).toEqual([
      "/bucket/installation",
      "/bucket/last-seen",
    ]);
    aws.respond = object(`${"x".repeat(100)}\n`);
    expect(await blobs.installationId()).toBe("x".repeat(100));
  });

  test("are refused where they are empty or long", async () => {
    for (const text of ["", " \n", "x".repeat(101)]) {
      aws.respond = object(text);
      const error = await failureOf(blobs.installationId());
      expect(`${error}`).toContain("the object installation in the bucket bucket is no mark");
    }
  });

  test("are null where they are not there, and an outage where that is not known", async () => {
    aws.respond = s3Refusal(404, "NoSuchKey");
    expect(await blobs.installationId()).toBeNull();
    expect(await blobs.lastSeenMs()).toBeNull();
    for (const refusal of [s3Refusal(404, "NoSuchBucket"), refused]) {
      aws.respond = refusal;
      await expect(blobs.installationId()).rejects.toBeInstanceOf(StorageUnavailable);
      await expect(blobs.lastSeenMs()).rejects.toBeInstanceOf(StorageUnavailable);
    }
  });

  test("are encrypted as ciphertexts are, the id unless it is there", async () => {
    const conflict = s3Refusal(412, "PreconditionFailed");
    aws.respondInOrder(conflict, object("other"), conflict);
    expect(await blobs.markInstallation("i1")).toBe("other");
    await expect(blobs.markSeen(7)).rejects.toBeInstanceOf(StorageUnavailable);
    const written = aws.seen.filter(({ method }) => method === "PUT");
    const headersOf = (name: string) => written.map(({ headers }) => headers[name]);
    expect(written.map(({ target, body }) => [target, body])).toEqual([
      ["/bucket/installation?x-id=PutObject", "i1"],
      ["/bucket/last-seen?x-id=PutObject", "7"],
    ]);
    expect(headersOf("x-amz-server-side-encryption")).toEqual(["aws:kms", "aws:kms"]);
    expect(headersOf("x-amz-server-side-encryption-aws-kms-key-id")).toEqual([KMS_KEY, KMS_KEY]);
    expect(headersOf("content-type")).toEqual(["text/plain", "text/plain"]);
    expect(headersOf("if-none-match")).toEqual(["*", undefined]);
  });

  test("are not written where S3 refuses them, and the id is the one that was written if that was deleted meanwhile", async () => {
    aws.respond = refused;
    await expect(blobs.markInstallation("i1")).rejects.toBeInstanceOf(StorageUnavailable);
    await expect(blobs.markSeen(7)).rejects.toBeInstanceOf(StorageUnavailable);
    expect(aws.seen).toHaveLength(2);
    aws.respond = (response, request) =>
      (request.method === "PUT" ? object("") : s3Refusal(404, "NoSuchKey"))(response, request);
    expect(await blobs.markInstallation("i1")).toBe("i1");
    await blobs.markSeen(7);
  });
});
