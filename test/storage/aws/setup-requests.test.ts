/** What the bucket and the tables are set up with, and which settings of an operator are left as they are. */
import { describe, expect, test } from "bun:test";
import type { AwsStorageConfig } from "../../../src/config/storage.ts";
import { type Finding, setUp } from "../../../src/storage/aws/setup.ts";
import {
  dynamoDbRefusal,
  dynamoDbSuccess,
  type Respond,
  refused,
  responding,
  type SeenRequest,
  s3Refusal,
  scriptedAws,
} from "../../support/scripted-aws.ts";

const aws = await scriptedAws();
const { bucket, tables } = aws.config;
const KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const config = { ...aws.config, kmsKeyArn: KMS_KEY };

const VERSIONING = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const BLOCKS = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
const closed = (open?: string) =>
  `<PublicAccessBlockConfiguration>${BLOCKS.map((name) => `<${name}>${name !== open}</${name}>`).join("")}</PublicAccessBlockConfiguration>`;
const rule = (id: string, inner: string, filter = "<Filter><Prefix></Prefix></Filter>") =>
  `<Rule><ID>${id}</ID><Status>Enabled</Status>${filter}${inner}</Rule>`;
const UPLOADS_ID = "backup-service-incomplete-uploads";
const VERSIONS_ID = "backup-service-noncurrent-versions";
const uploadsAfter = (days: number) =>
  `<AbortIncompleteMultipartUpload><DaysAfterInitiation>${days}</DaysAfterInitiation></AbortIncompleteMultipartUpload>`;
const versionsAfter = (days: number) =>
  `<NoncurrentVersionExpiration><NoncurrentDays>${days}</NoncurrentDays></NoncurrentVersionExpiration><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`;
const rules = (...all: readonly string[]) =>
  `<LifecycleConfiguration>${all.join("")}</LifecycleConfiguration>`;
const encryption = (key: string, hasBucketKey: boolean) =>
  `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>${key}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>${hasBucketKey}</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`;

type Responses = Readonly<Record<string, Respond>>;

/** Everything is as it has to be. */
const COMPLETE: Responses = {
  HEAD: responding(200),
  "GET versioning": responding(200, VERSIONING),
  "GET publicAccessBlock": responding(200, closed()),
  "GET lifecycle": responding(
    200,
    rules(rule(UPLOADS_ID, uploadsAfter(1)), rule(VERSIONS_ID, versionsAfter(7))),
  ),
  "GET encryption": responding(200, encryption(KMS_KEY, true)),
  DescribeTable: (response, request) => {
    const { TableName } = JSON.parse(request.body);
    const keys = { [tables.backups]: ["BackupId"], [tables.history]: ["PK", "SK"] }[TableName] ?? ["PK"];
    const KeySchema = keys.map((AttributeName) => ({ AttributeName }));
    dynamoDbSuccess({ Table: { KeySchema } })(response, request);
  },
  DescribeTimeToLive: dynamoDbSuccess({
    TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "ExpiresAt" },
  }),
  DescribeContinuousBackups: dynamoDbSuccess({
    ContinuousBackupsDescription: {
      ContinuousBackupsStatus: "ENABLED",
      PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: "ENABLED" },
    },
  }),
};

const kindOf = ({ method, target, operation }: SeenRequest) =>
  operation || [method, /\?(?:x-id=\w+&)?(\w+)(?:=)?(?:&|$)/.exec(target)?.[1]].filter(Boolean).join(" ");
const isRead = (request: SeenRequest) => /^(HEAD|GET|Describe)/.test(kindOf(request));
const writes = () => aws.seen.filter((request) => !isRead(request));

/** Sets up what is complete but for these responses. Writes succeed. */
async function foundWith(
  changed: Responses,
  checkOnly = false,
  of: AwsStorageConfig = config,
): Promise<Finding[]> {
  aws.seen.length = 0;
  aws.respond = (response, request) => {
    const respond =
      { ...COMPLETE, ...changed }[kindOf(request)] ?? responding(200, request.operation ? "{}" : "");
    respond(response, request);
  };
  return Array.fromAsync(setUp(of, { checkOnly }));
}
const notPresent = (findings: readonly Finding[]) => findings.filter(({ state }) => state !== "present");

/** The text within each of these elements, one after the other. */
const textsIn = (xml: string, name: string) =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "g"))].map(([, text = ""]) => text);

describe("what is there", () => {
  test("is left as it is", async () => {
    const findings = await foundWith({});
    expect(notPresent(findings)).toEqual([]);
    expect(findings.map(({ what }) => what)).toEqual([
      `the bucket ${bucket}`,
      `versioning of ${bucket}`,
      `no public access to ${bucket}`,
      `lifecycle rules of ${bucket}`,
      `encryption of ${bucket} with ${KMS_KEY}`,
      `the table ${tables.factorLookup}`,
      `point-in-time recovery of ${tables.factorLookup}`,
      `the table ${tables.backups}`,
      `point-in-time recovery of ${tables.backups}`,
      `the table ${tables.oneTime}`,
      `expiry of items of ${tables.oneTime}`,
      `point-in-time recovery of ${tables.oneTime}`,
      `the table ${tables.history}`,
      `expiry of items of ${tables.history}`,
      `point-in-time recovery of ${tables.history}`,
    ]);
    expect(writes()).toEqual([]);
    expect((await foundWith({}, false, aws.config)).map(({ what }) => what).join()).not.toContain(
      "encryption",
    );
  });

  test("may have other days, other rules, and be about to expire items", async () => {
    const others = rules(
      rule("mine", uploadsAfter(3)),
      rule(UPLOADS_ID, uploadsAfter(2), "<Prefix></Prefix>"),
      rule(VERSIONS_ID, versionsAfter(30)),
    );
    const enabling = { TimeToLiveStatus: "ENABLING", AttributeName: "ExpiresAt" };
    const findings = await foundWith({
      "GET lifecycle": responding(200, others),
      DescribeTimeToLive: dynamoDbSuccess({ TimeToLiveDescription: enabling }),
    });
    expect(notPresent(findings)).toEqual([]);
  });
});

describe("what is missing in the bucket", () => {
  const cases: readonly (readonly [
    string,
    Responses,
    what: string,
    body: (xml: string) => unknown,
    expected: unknown,
  ])[] = [
    [
      "versioning",
      { "GET versioning": responding(200, "<VersioningConfiguration/>") },
      `versioning of ${bucket}`,
      (xml) => textsIn(xml, "Status"),
      ["Enabled"],
    ],
    ...BLOCKS.map(
      (open) =>
        [
          open,
          { "GET publicAccessBlock": responding(200, closed(open)) },
          `no public access to ${bucket}`,
          (xml: string) => BLOCKS.flatMap((name) => textsIn(xml, name)),
          ["true", "true", "true", "true"],
        ] as const,
    ),
    [
      "any block of public access",
      { "GET publicAccessBlock": s3Refusal(404, "NoSuchPublicAccessBlockConfiguration") },
      `no public access to ${bucket}`,
      (xml) => BLOCKS.flatMap((name) => textsIn(xml, name)),
      ["true", "true", "true", "true"],
    ],
    [
      "a rule, beside one of the operator",
      {
        "GET lifecycle": responding(
          200,
          rules(
            rule("mine", uploadsAfter(3)),
            rule(UPLOADS_ID, versionsAfter(7)),
            rule(VERSIONS_ID, versionsAfter(7)),
          ),
        ),
      },
      `lifecycle rules of ${bucket}`,
      (xml) => [
        textsIn(xml, "ID"),
        textsIn(xml, "Status"),
        textsIn(xml, "DaysAfterInitiation"),
        textsIn(xml, "NoncurrentDays"),
        textsIn(xml, "ExpiredObjectDeleteMarker"),
      ],
      [["mine", UPLOADS_ID, VERSIONS_ID], ["Enabled", "Enabled", "Enabled"], ["3", "1"], ["7"], ["true"]],
    ],
    [
      "any rule",
      { "GET lifecycle": s3Refusal(404, "NoSuchLifecycleConfiguration") },
      `lifecycle rules of ${bucket}`,
      (xml) => textsIn(xml, "ID"),
      [UPLOADS_ID, VERSIONS_ID],
    ],
    ...(
      [
        responding(200, encryption("another key", true)),
        responding(200, encryption(KMS_KEY, false)),
        s3Refusal(404, "ServerSideEncryptionConfigurationNotFoundError"),
      ] as const
    ).map(
      (respond, index) =>
        [
          `its key, case ${index}`,
          { "GET encryption": respond },
          `encryption of ${bucket} with ${KMS_KEY}`,
          (xml: string) =>
            ["SSEAlgorithm", "KMSMasterKeyID", "BucketKeyEnabled"].map((name) => textsIn(xml, name)),
          [["aws:kms"], [KMS_KEY], ["true"]],
        ] as const,
    ),
  ];
  test.each(cases)("%s, is set", async (_name, changed, what, body, expected) => {
    expect(notPresent(await foundWith(changed, true))).toEqual([{ what, state: "missing" }]);
    expect(writes()).toEqual([]);
    expect(notPresent(await foundWith(changed))).toEqual([{ what, state: "created" }]);
    expect(writes().map((request) => body(request.body))).toEqual([expected]);
  });

  test("is the bucket itself, which may have been made meanwhile", async () => {
    const absent = { HEAD: responding(404) };
    const missing = notPresent(await foundWith(absent, true));
    expect(missing).toHaveLength(5);
    expect(new Set(missing.map(({ state }) => state))).toEqual(new Set(["missing"]));
    for (const region of ["eu-west-1", "us-east-1"]) {
      const findings = await foundWith(absent, false, { ...config, region });
      expect(notPresent(findings)).toEqual([{ what: `the bucket ${bucket}`, state: "created" }]);
      const [created] = writes();
      expect(textsIn(created?.body ?? "", "LocationConstraint")).toEqual(
        region === "us-east-1" ? [] : [region],
      );
    }
    expect(
      notPresent(await foundWith({ ...absent, PUT: s3Refusal(409, "BucketAlreadyOwnedByYou") })),
    ).toHaveLength(1);
    await expect(foundWith({ ...absent, PUT: s3Refusal(409, "BucketAlreadyExists") })).rejects.toThrow(
      `${bucket}, status 409`,
    );
  });
});

describe("what is missing of the tables", () => {
  const absent = dynamoDbRefusal("ResourceNotFoundException");

  test("is made with its keys, and paid per request", async () => {
    const active = { TableDescription: { TableStatus: "ACTIVE" } };
    const findings = await foundWith({ DescribeTable: absent, CreateTable: dynamoDbSuccess(active) });
    expect(notPresent(findings).map(({ what, state }) => [what, state])).toEqual(
      Object.values(tables).map((name) => [`the table ${name}`, "created"]),
    );
    const attribute = (AttributeName: string) => ({ AttributeName, AttributeType: "S" });
    expect(writes().map(({ body }) => JSON.parse(body))).toEqual(
      [["PK"], ["BackupId"], ["PK"], ["PK", "SK"]].map(([partition = "", ...sort], index) => ({
        TableName: Object.values(tables)[index],
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [partition, ...sort].map(attribute),
        KeySchema: [
          { AttributeName: partition, KeyType: "HASH" },
          ...sort.map((AttributeName) => ({ AttributeName, KeyType: "RANGE" })),
        ],
      })),
    );
  });

  test("is waited for until it is active, also where another process makes it", async () => {
    for (const CreateTable of [
      dynamoDbSuccess({ TableDescription: { TableStatus: "CREATING" } }),
      dynamoDbRefusal("ResourceInUseException"),
    ]) {
      const made = new Set<string>();
      const active = dynamoDbSuccess({ Table: { TableStatus: "ACTIVE" } });
      const DescribeTable: Respond = (response, request) =>
        (made.has(JSON.parse(request.body).TableName) ? active : absent)(response, request);
      const creating: Respond = (response, request) => {
        made.add(JSON.parse(request.body).TableName);
        CreateTable(response, request);
      };
      expect(notPresent(await foundWith({ DescribeTable, CreateTable: creating }))).toHaveLength(4);
      const operations = aws.seen.map(({ operation }) => operation).filter((name) => name.endsWith("Table"));
      expect(operations).toEqual(Array(4).fill(["DescribeTable", "CreateTable", "DescribeTable"]).flat());
    }
    await expect(foundWith({ DescribeTable: absent, CreateTable: refused })).rejects.toThrow(
      `the table ${tables.factorLookup}, status 400`,
    );
  });

  test("are settings, which are made", async () => {
    for (const TimeToLiveDescription of [{ TimeToLiveStatus: "DISABLED" }, undefined]) {
      const findings = await foundWith({ DescribeTimeToLive: dynamoDbSuccess({ TimeToLiveDescription }) });
      expect(notPresent(findings).map(({ state }) => state)).toEqual(["created", "created"]);
      const TimeToLiveSpecification = { Enabled: true, AttributeName: "ExpiresAt" };
      expect(writes().map(({ body }) => JSON.parse(body))).toEqual(
        [tables.oneTime, tables.history].map((TableName) => ({ TableName, TimeToLiveSpecification })),
      );
    }
    const findings = await foundWith({ DescribeContinuousBackups: dynamoDbSuccess({}) });
    expect(notPresent(findings).map(({ state }) => state)).toEqual(Array(4).fill("created"));
    expect(JSON.parse(writes()[0]?.body ?? "")).toEqual({
      TableName: tables.factorLookup,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
    const denied = { DescribeContinuousBackups: dynamoDbSuccess({}), UpdateContinuousBackups: refused };
    await expect(foundWith(denied)).rejects.toThrow(
      `point-in-time recovery of ${tables.factorLookup}, status 400`,
    );
  });

  test("is not what has another key, or other items that expire", async () => {
    const failure = async (changed: Responses) => {
      const error: unknown = await foundWith(changed).catch((reason: unknown) => reason);
      return error instanceof Error && error.cause instanceof Error ? error.cause.message : error;
    };
    const other = dynamoDbSuccess({
      Table: { KeySchema: [{ AttributeName: "Id" }, { AttributeName: "At" }] },
    });
    expect(await failure({ DescribeTable: other })).toBe(
      `the table ${tables.factorLookup} exists with the key Id, At, and the service needs PK`,
    );
    const byOther = { TimeToLiveStatus: "ENABLED", AttributeName: "Until" };
    expect(await failure({ DescribeTimeToLive: dynamoDbSuccess({ TimeToLiveDescription: byOther }) })).toBe(
      `items of ${tables.oneTime} expire by Until, and the service needs ExpiresAt`,
    );
    expect(await failure({ HEAD: responding(403) })).toContain("belongs to another account");
    expect(writes()).toEqual([]);
  });
});

test("a setting that an endpoint does not know is unsupported, and nothing else is", async () => {
  for (const name of ["NotImplemented", "MethodNotAllowed"])
    expect(notPresent(await foundWith({ "GET versioning": s3Refusal(405, name) }))).toEqual([
      { what: `versioning of ${bucket}`, state: "unsupported" },
    ]);
  for (const name of ["UnknownOperationException", "NotImplementedException"])
    expect(notPresent(await foundWith({ DescribeContinuousBackups: dynamoDbRefusal(name) }))).toHaveLength(4);
  for (const kind of [
    "GET versioning",
    "GET publicAccessBlock",
    "GET lifecycle",
    "GET encryption",
    "DescribeTable",
  ])
    await expect(foundWith({ [kind]: refused })).rejects.toThrow(", status 40");
});
