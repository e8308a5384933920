/** The template of CloudFormation, compared with what `aws:setup` makes and with what the driver calls. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { Glob, YAML } from "bun";
import { type AwsStorageConfig, loadStorageConfig } from "../../src/config/storage.ts";
import type { Requirement } from "../../src/storage/aws/setup.ts";
import { bucketRequirement } from "../../src/storage/aws/setup-bucket.ts";
import { tableRequirements } from "../../src/storage/aws/setup-tables.ts";

type Members = Readonly<Record<string, unknown>>;

interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

interface Resource {
  readonly Type: string;
  readonly Properties: object;
}

interface Table {
  readonly Type: "AWS::DynamoDB::Table";
  readonly Properties: Members;
}

interface Policy extends Resource {
  readonly Properties: { readonly PolicyDocument: { readonly Statement: readonly unknown[] } };
}

interface Bucket {
  readonly VersioningConfiguration: Members;
  readonly PublicAccessBlockConfiguration: Members;
  readonly LifecycleConfiguration: { readonly Rules: readonly Members[] };
  readonly BucketEncryption: { readonly ServerSideEncryptionConfiguration: readonly unknown[] };
}

interface Template {
  readonly Parameters: Readonly<Record<string, { readonly Default?: string | number }>>;
  readonly Resources: Readonly<Record<string, Resource>> & {
    readonly Bucket: Resource & { readonly Properties: Bucket };
    readonly ServicePolicy: Policy;
    readonly OperatorPolicy: Policy;
  };
}

const ROOT = join(import.meta.dir, "../..");
/** Without the tags of CloudFormation: a `!Ref` is the name that it refers to. */
const template = YAML.parse(await Bun.file(join(ROOT, "deploy/cloudformation.yaml")).text()) as Template;

const KEY = "arn:aws:kms:eu-west-1:000000000000:key/1";
const VARIABLES = { STORAGE_DRIVER: "aws", AWS_REGION: "eu-west-1", BACKUP_S3_BUCKET: "bucket" };

function configured(variables: Readonly<Record<string, string>>): AwsStorageConfig {
  const storage = loadStorageConfig({ ...VARIABLES, ...variables });
  if (storage.driver !== "aws") throw new Error("another driver was configured");
  return storage;
}

/** The properties that `aws:setup` gives a resource, by the name of each, as it sends them. */
async function madeBySetup(): Promise<{ readonly bucket: Members; readonly tables: readonly Members[] }> {
  const sent: Members[] = [];
  const record = (args: { readonly input: object }) => {
    sent.push({ ...args.input });
    const output = { $metadata: {}, TableDescription: { TableStatus: "ACTIVE" } };
    return Promise.resolve({ output, response: {} });
  };
  const settings = { region: "eu-west-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } };
  const s3 = new S3Client(settings);
  const dynamoDb = new DynamoDBClient(settings);
  s3.middlewareStack.add(() => record, { step: "initialize", priority: "high" });
  dynamoDb.middlewareStack.add(() => record, { step: "initialize", priority: "high" });
  const meet = async ({ meet, within = [] }: Requirement): Promise<Members> => {
    sent.length = 0;
    await meet();
    for (const inner of within) await inner.meet();
    return Object.assign({}, ...sent);
  };
  const config = configured({ BACKUP_S3_BUCKET_KMS_KEY_ARN: KEY });
  const bucket = await meet(bucketRequirement(s3, config));
  const tables: Members[] = [];
  for (const requirement of tableRequirements(dynamoDb, config)) tables.push(await meet(requirement));
  return { bucket, tables };
}

/** Those that depend on a condition are in a list with it. */
function statements(policy: Policy): readonly Statement[] {
  return policy.Properties.PolicyDocument.Statement.flat().filter(isStatement);
}

function isTable(resource: Resource): resource is Table {
  return resource.Type === "AWS::DynamoDB::Table";
}

function isStatement(value: unknown): value is Statement {
  return typeof value === "object" && value !== null && "Action" in value;
}

const { Bucket, ServicePolicy, OperatorPolicy } = template.Resources;
const actions = (policy: Policy) => statements(policy).flatMap(({ Action }) => Action);

describe("deploy/cloudformation.yaml", () => {
  test("makes the tables that aws:setup makes, under the names that the service expects", async () => {
    const { tables } = await madeBySetup();
    const prefix = String(template.Parameters.TablePrefix?.Default);
    const made = Object.values(template.Resources)
      .filter(isTable)
      .map(({ Properties: { DeletionProtectionEnabled, TableName, ...properties } }) => {
        expect(DeletionProtectionEnabled).toBe(true); // which aws:setup leaves to the operator
        // biome-ignore lint/suspicious/noTemplateCurlyInString: as CloudFormation has it
        return { ...properties, TableName: String(TableName).replace("${TablePrefix}", prefix) };
      });
    expect<readonly Members[]>(made).toEqual(tables);
    expect(made.map(({ TableName }) => TableName)).toEqual(Object.values(configured({}).tables));
  });

  test("makes the bucket that aws:setup makes, and encrypts it in any case", async () => {
    const { bucket } = await madeBySetup();
    const made = Bucket.Properties;
    expect<unknown>(made.VersioningConfiguration).toEqual(bucket.VersioningConfiguration);
    expect<unknown>(made.PublicAccessBlockConfiguration).toEqual(bucket.PublicAccessBlockConfiguration);
    const days = template.Parameters.NoncurrentDays?.Default;
    const [uploads, versions] = made.LifecycleConfiguration.Rules;
    expect(bucket.LifecycleConfiguration).toEqual({
      Rules: [
        asSent({ ...uploads }),
        asSent({ ...versions, NoncurrentVersionExpiration: { NoncurrentDays: days } }),
      ],
    });
    expect(versions?.NoncurrentVersionExpiration).toEqual({ NoncurrentDays: "NoncurrentDays" });
    const byKey = { SSEAlgorithm: "aws:kms", KMSMasterKeyID: KEY };
    expect(bucket.ServerSideEncryptionConfiguration).toEqual({
      Rules: [{ ApplyServerSideEncryptionByDefault: byKey, BucketKeyEnabled: true }],
    });
    expect(made.BucketEncryption.ServerSideEncryptionConfiguration).toEqual([
      [
        "HasKmsKey",
        { ServerSideEncryptionByDefault: { ...byKey, KMSMasterKeyID: "KmsKeyArn" }, BucketKeyEnabled: true },
        { ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } },
      ],
    ]);
  });

  test("keeps what is stored where the stack is deleted", () => {
    const stored = Object.values(template.Resources).filter(({ Type }) =>
      ["AWS::S3::Bucket", "AWS::DynamoDB::Table"].includes(Type),
    );
    expect(stored).toHaveLength(5);
    for (const resource of stored)
      expect(resource).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
  });

  test("allows the service what the driver calls, and no more", async () => {
    const called = await calledActions();
    const kms = ["kms:Decrypt", "kms:GenerateDataKey"];
    expect(actions(ServicePolicy).toSorted()).toEqual(
      [...called.filter((action) => action !== "dynamodb:Scan"), ...kms].toSorted(),
    );
    expect(actions(OperatorPolicy)).toEqual(["dynamodb:Scan"]);
    expect(called).toContain("dynamodb:Scan");
    const allowed = [ServicePolicy, OperatorPolicy].flatMap(statements);
    expect(allowed.flatMap(({ Resource }) => Resource)).not.toContain("*");
  });
});

/** A rule as the API of S3 has it, where it applies to every object. */
function asSent({ Id, ExpiredObjectDeleteMarker, ...rule }: Members): Members {
  const expiration =
    ExpiredObjectDeleteMarker === undefined ? {} : { Expiration: { ExpiredObjectDeleteMarker } };
  return { ID: Id, Filter: { Prefix: "" }, ...rule, ...expiration };
}

/** The permissions that the commands of the driver need, but for those of the setup and of the other service's stores. */
async function calledActions(): Promise<string[]> {
  const folder = join(ROOT, "src/storage/aws");
  const files = [...new Glob("**/*.ts").scanSync(folder)].filter((file) => !/^(setup|legacy\/)/.test(file));
  const texts = await Promise.all(files.map((file) => Bun.file(join(folder, file)).text()));
  const commands = texts.flatMap((text) => [
    ...[...text.matchAll(/new (\w+)Command\(/g)].map(([, name = ""]) => name),
    ...[...text.matchAll(/\b(Put|Update|Delete|ConditionCheck): (?=\{|\w)/g)].map(
      ([, name]) => `${name}Item`,
    ),
  ]);
  const needed = commands.filter((command) => command !== "TransactWriteItems").map(actionOf);
  return [...new Set(needed)];
}

/** Where the permission of a command has another name. */
const OTHERWISE_NAMED: Readonly<Record<string, string>> = {
  HeadBucket: "s3:ListBucket",
  HeadObject: "s3:GetObject",
  ListObjectsV2: "s3:ListBucket",
};

function actionOf(command: string): string {
  const service = /(Item|Table|Query|Scan)$/.test(command) ? "dynamodb" : "s3";
  return OTHERWISE_NAMED[command] ?? `${service}:${command}`;
}
