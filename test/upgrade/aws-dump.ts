/** The items of the tables and the objects of the bucket of the aws driver, as text. */
import { type AttributeValue, DynamoDBClient, PutItemCommand, paginateScan } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import type { AwsStorageConfig } from "../../src/config/storage.ts";

type Table = keyof AwsStorageConfig["tables"];
/** The service stores no binary attributes, so all of it is JSON. */
type Items = readonly Record<string, AttributeValue>[];

export interface AwsDump {
  readonly driver: "aws";
  readonly tables: Readonly<Record<Table, Items>>;
  /** The content in base64, by its key. */
  readonly objects: Readonly<Record<string, { readonly content: string; readonly type: string }>>;
}

export async function dumpStores(config: AwsStorageConfig): Promise<AwsDump> {
  using clients = clientsOf(config);
  const items = async (TableName: string): Promise<Items> => {
    const pages = await Array.fromAsync(paginateScan({ client: clients.tables }, { TableName }));
    return pages.flatMap(({ Items = [] }) => Items);
  };
  const { factorLookup, backups, oneTime, history } = config.tables;
  const objects: Record<string, { content: string; type: string }> = {};
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client: clients.objects },
    { Bucket: config.bucket },
  ))
    for (const { Key = "" } of Contents) {
      const { Body, ContentType = "" } = await clients.objects.send(
        new GetObjectCommand({ Bucket: config.bucket, Key }),
      );
      objects[Key] = { content: (await Body?.transformToString("base64")) ?? "", type: ContentType };
    }
  return {
    driver: "aws",
    tables: {
      factorLookup: await items(factorLookup),
      backups: await items(backups),
      oneTime: await items(oneTime),
      history: await items(history),
    },
    objects,
  };
}

/** Puts all of it into empty tables and an empty bucket. */
export async function loadStores({ tables, objects }: AwsDump, config: AwsStorageConfig): Promise<void> {
  using clients = clientsOf(config);
  const { factorLookup, backups, oneTime, history } = config.tables;
  for (const [TableName, items] of [
    [factorLookup, tables.factorLookup],
    [backups, tables.backups],
    [oneTime, tables.oneTime],
    [history, tables.history],
  ] as const)
    await Promise.all(items.map((Item) => clients.tables.send(new PutItemCommand({ TableName, Item }))));
  for (const [Key, { content, type }] of Object.entries(objects))
    await clients.objects.send(
      new PutObjectCommand({
        Bucket: config.bucket,
        Key,
        Body: Buffer.from(content, "base64"),
        ContentType: type,
      }),
    );
}

function clientsOf({ region, s3Endpoint, dynamoDbEndpoint }: AwsStorageConfig) {
  const objects = new S3Client({ region, endpoint: s3Endpoint ?? "", forcePathStyle: true });
  const tables = new DynamoDBClient({ region, endpoint: dynamoDbEndpoint ?? "" });
  return {
    objects,
    tables,
    [Symbol.dispose]() {
      objects.destroy();
      tables.destroy();
    },
  };
}
