/** What is created where it is missing, and what is reported of it. */
import { describe, expect, test } from "bun:test";
import { type Finding, setUp } from "../../../src/storage/aws/setup.ts";
import { failureOf } from "../../support/failure-of.ts";
import { dynamoDbRefusal, refused, s3Refusal } from "../../support/scripted-aws.ts";
import { KMS_KEY, setupModel } from "./setup-model.ts";

const { aws, stored, instead, run, requests, writes } = await setupModel();

/** What is needed, by the write that creates it, in the order of creation. */
const NEEDED: Readonly<Record<string, string>> = {
  "PUT bucket": "the bucket bucket",
  "PUT versioning": "versioning of bucket",
  "PUT publicAccessBlock": "no public access to bucket",
  "PUT lifecycle": "lifecycle rules of bucket",
  "PUT encryption": `encryption of bucket with ${KMS_KEY}`,
  "CreateTable factors": "the table factors",
  "UpdateContinuousBackups factors": "point-in-time recovery of factors",
  "CreateTable backups": "the table backups",
  "UpdateContinuousBackups backups": "point-in-time recovery of backups",
  "CreateTable one-time": "the table one-time",
  "UpdateTimeToLive one-time": "expiry of items of one-time",
  "UpdateContinuousBackups one-time": "point-in-time recovery of one-time",
  "CreateTable history": "the table history",
  "UpdateTimeToLive history": "expiry of items of history",
  "UpdateContinuousBackups history": "point-in-time recovery of history",
};
const all = (state: Finding["state"]): Finding[] => Object.values(NEEDED).map((what) => ({ what, state }));

test("a check of nothing finds everything missing, and creates nothing", async () => {
  expect(await run({ checkOnly: true })).toEqual(all("missing"));
  // what can exist only within something else is not asked for
  expect(requests()).toEqual([
    "HEAD bucket",
    ...["factors", "backups", "one-time", "history"].map((table) => `DescribeTable ${table}`),
  ]);
});

test("what is missing is created, once", async () => {
  expect(await run()).toEqual(all("created"));
  expect(writes()).toEqual(Object.keys(NEEDED));
  for (const checkOnly of [false, true]) {
    expect(await run({ checkOnly })).toEqual(all("present"));
    expect(writes()).toEqual([]);
  }
});

test("a bucket without a key of its own for encryption keeps the key that it has", async () => {
  const findings = await Array.fromAsync(setUp(aws.config, { checkOnly: false }));
  expect(findings.map(({ what }) => what)).not.toContain(NEEDED["PUT encryption"] ?? "");
  expect(writes()).not.toContain("PUT encryption");
});

test("a check finds what alone is missing, and leaves it so", async () => {
  await run();
  for (const name of ["lifecycle", "expiry of history"]) stored.delete(name);
  writes();
  const missing = [NEEDED["PUT lifecycle"], NEEDED["UpdateTimeToLive history"]];
  expect(await run({ checkOnly: true })).toEqual(
    all("present").map(({ what, state }) => ({ what, state: missing.includes(what) ? "missing" : state })),
  );
  expect(writes()).toEqual([]);
});

describe("each of them", () => {
  for (const [write, what] of Object.entries(NEEDED)) {
    test(`${what} is created alone where the others are there`, async () => {
      await run();
      stored.delete(storedNameOf(write));
      writes();
      expect(await run()).toEqual(
        all("present").map((finding) => (finding.what === what ? { what, state: "created" } : finding)),
      );
      expect(writes()).toEqual([write]);
    });

    test(`${what} ends the setup where it is refused`, async () => {
      instead.set(write, refused);
      const status = write.startsWith("PUT") ? 403 : 400;
      expect(await failureOf(run())).toHaveProperty("message", `${what}, status ${status}`);
      expect(requests().at(-1)).toBe(write);
    });
  }

  const ofS3 = ["MethodNotAllowed", "NotImplemented"].map(
    (name) => ["PUT versioning", s3Refusal(400, name)] as const,
  );
  const ofDynamoDb = ["NotImplementedException", "UnknownOperationException"].map(
    (name) => ["UpdateContinuousBackups factors", dynamoDbRefusal(name)] as const,
  );
  for (const [write, respond] of [...ofS3, ...ofDynamoDb])
    test("is reported where the endpoint does not know the operation", async () => {
      instead.set(write, respond);
      const what = NEEDED[write] ?? "";
      expect(await run()).toEqual(
        all("created").map((finding) => (finding.what === what ? { what, state: "unsupported" } : finding)),
      );
    });
});

test("all connections are closed at the end", async () => {
  await run();
  await aws.deserted();
});

function storedNameOf(write: string): string {
  const [verb = "", about = ""] = write.split(" ");
  const kinds: Readonly<Record<string, string>> = {
    UpdateTimeToLive: "expiry of ",
    UpdateContinuousBackups: "recovery of ",
  };
  return `${kinds[verb] ?? ""}${about}`;
}
