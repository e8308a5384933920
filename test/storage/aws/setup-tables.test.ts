/** The tables that are created, what is taken for one, and how long is waited for one. */
import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { failureOf } from "../../support/failure-of.ts";
import { dynamoDbRefusal, dynamoDbSuccess, type Respond, refused } from "../../support/scripted-aws.ts";
import { expiry, recovery, setupModel } from "./setup-model.ts";

const PAUSE_MS = 3_000;
const LIMIT_MS = 120_000;

const { aws, stored, instead, run, requests, writes } = await setupModel();

const stateOf = async (what: string): Promise<string | undefined> =>
  (await run()).find((finding) => finding.what === what)?.state;

const inOrder = (...responses: readonly Respond[]): Respond => {
  let count = 0;
  return (response, request) => (responses[count++] ?? refused)(response, request);
};

test("a table has its keys, is paid per request, and keeps what it had at each moment", async () => {
  await run();
  const key = (AttributeName: string) => ({ AttributeName, AttributeType: "S" });
  const written = (name: string): unknown => JSON.parse(stored.get(name) ?? "");
  expect(["factors", "backups", "one-time", "history"].map(written)).toMatchObject([
    { AttributeDefinitions: [key("PK")], KeySchema: [{ AttributeName: "PK", KeyType: "HASH" }] },
    { AttributeDefinitions: [key("BackupId")], KeySchema: [{ AttributeName: "BackupId", KeyType: "HASH" }] },
    { AttributeDefinitions: [key("PK")], KeySchema: [{ AttributeName: "PK", KeyType: "HASH" }] },
    {
      AttributeDefinitions: [key("PK"), key("SK")],
      KeySchema: [
        { AttributeName: "PK", KeyType: "HASH" },
        { AttributeName: "SK", KeyType: "RANGE" },
      ],
      BillingMode: "PAY_PER_REQUEST",
    },
  ]);
  expect(written("expiry of one-time")).toMatchObject({
    TimeToLiveSpecification: { Enabled: true, AttributeName: "ExpiresAt" },
  });
  expect(written("recovery of backups")).toMatchObject({
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
});

describe("a table", () => {
  test("that is there is not waited for", async () => {
    await run();
    expect(requests().filter((name) => name === "DescribeTable history")).toHaveLength(1);
  });

  for (const [how, created] of [
    ["is being created", dynamoDbSuccess({ TableDescription: { TableStatus: "CREATING" } })],
    ["another process has begun to create", dynamoDbRefusal("ResourceInUseException")],
  ] as const)
    test(`that ${how} is waited for`, async () => {
      const held = Promise.withResolvers<void>();
      const active: Respond = async (response, request) => {
        await held.promise;
        dynamoDbSuccess({ Table: { TableStatus: "ACTIVE" } })(response, request);
      };
      const asked = Promise.withResolvers<void>();
      instead.set("CreateTable history", created);
      const missing = dynamoDbRefusal("ResourceNotFoundException");
      instead.set(
        "DescribeTable history",
        inOrder(missing, (response, request) => {
          asked.resolve();
          active(response, request);
        }),
      );
      const made = stateOf("the table history");
      await asked.promise;
      await aws.arrived();
      expect(requests().filter((name) => name.startsWith("DescribeTimeToLive"))).toEqual([
        "DescribeTimeToLive one-time",
      ]);
      held.resolve();
      expect(await made).toBe("created");
    });

  test("with other keys is refused", async () => {
    await run();
    stored.set("history", stored.get("backups") ?? "");
    expect(await failureOf(run())).toMatchObject({
      message: "the table history",
      cause: { message: "the table history exists with the key BackupId, and the service needs PK, SK" },
    });
  });

  test("about which DynamoDB does not respond is not created", async () => {
    instead.set("DescribeTable factors", refused);
    expect(await failureOf(run())).toHaveProperty("message", "the table factors, status 400");
    expect(writes().filter((name) => name.startsWith("Create"))).toEqual([]);
  });
});

describe("the expiry of items", () => {
  test.each([
    ["present", "ENABLED"],
    ["present", "ENABLING"],
    ["created", "DISABLING"],
    ["created", "DISABLED"],
  ])("is %s where that is %s", async (state, status) => {
    instead.set("DescribeTimeToLive history", expiry(status, "ExpiresAt"));
    expect(await stateOf("expiry of items of history")).toBe(state);
  });

  test("by another attribute is refused", async () => {
    instead.set("DescribeTimeToLive history", expiry("ENABLED", "Other"));
    expect(await failureOf(run())).toMatchObject({
      cause: { message: "items of history expire by Other, and the service needs ExpiresAt" },
    });
  });

  test("is turned on where DynamoDB does not say whether it is", async () => {
    instead.set("DescribeTimeToLive history", dynamoDbSuccess({}));
    expect(await stateOf("expiry of items of history")).toBe("created");
  });
});

describe("point-in-time recovery", () => {
  let events: unknown[];
  let nowMs: number;

  beforeEach(() => {
    events = [];
    nowMs = 5_000;
  });

  const pause = async (ms: number) => {
    await aws.arrived();
    events.push(ms);
    nowMs += ms;
  };
  const seen =
    (respond: Respond): Respond =>
    (response, request) => {
      events.push("request");
      respond(response, request);
    };
  const tooEarly = seen(dynamoDbRefusal("ContinuousBackupsUnavailableException"));

  test("is turned on as soon as a new table allows it", async () => {
    instead.set("UpdateContinuousBackups backups", inOrder(tooEarly, tooEarly, seen(recovery("ENABLED"))));
    expect(await run({ pause })).toContainEqual({
      what: "point-in-time recovery of backups",
      state: "created",
    });
    expect(events).toEqual(["request", PAUSE_MS, "request", PAUSE_MS, "request"]);
  });

  test("is not turned on where a table does not allow it for two minutes", async () => {
    using _now = spyOn(performance, "now").mockImplementation(() => nowMs);
    instead.set("UpdateContinuousBackups backups", tooEarly);
    expect(await failureOf(run({ pause }))).toMatchObject({
      message: "point-in-time recovery of backups, status 400",
      cause: { name: "ContinuousBackupsUnavailableException" },
    });
    expect(nowMs - 5_000).toBe(LIMIT_MS + PAUSE_MS);
  });
});
