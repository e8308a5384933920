/** A request of each operation that a direct client sends itself. */
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { BUCKET } from "../../../support/aws-config.ts";
import type { Clients } from "./client-pair.ts";

export type Send = (clients: Clients, options: { readonly abortSignal?: AbortSignal }) => Promise<unknown>;

export const KEY = { BackupId: { S: "b1" } };

const item = { TableName: "backups", Key: KEY };
const put = { TableName: "backups", Item: KEY };
const object = { Bucket: BUCKET, Key: "b1/blobs/1" };
const keys = { RequestItems: { backups: { Keys: [KEY] } } };

export const DYNAMODB_REQUESTS = {
  BatchGetItem: ({ dynamoDb }, options) => dynamoDb.send(new BatchGetItemCommand(keys), options),
  DeleteItem: ({ dynamoDb }, options) => dynamoDb.send(new DeleteItemCommand(item), options),
  DescribeTable: ({ dynamoDb }, options) =>
    dynamoDb.send(new DescribeTableCommand({ TableName: "backups" }), options),
  GetItem: ({ dynamoDb }, options) => dynamoDb.send(new GetItemCommand(item), options),
  PutItem: ({ dynamoDb }, options) => dynamoDb.send(new PutItemCommand(put), options),
  Query: ({ dynamoDb }, options) => dynamoDb.send(new QueryCommand({ TableName: "backups" }), options),
  Scan: ({ dynamoDb }, options) => dynamoDb.send(new ScanCommand({ TableName: "backups" }), options),
  TransactWriteItems: ({ dynamoDb }, options) =>
    dynamoDb.send(new TransactWriteItemsCommand({ TransactItems: [{ Put: put }] }), options),
  UpdateItem: ({ dynamoDb }, options) => dynamoDb.send(new UpdateItemCommand(item), options),
} satisfies Readonly<Record<string, Send>>;

export const S3_REQUESTS = {
  DeleteObject: ({ s3 }, options) => s3.send(new DeleteObjectCommand(object), options),
  GetObject: ({ s3 }, options) => s3.send(new GetObjectCommand(object), options),
  HeadBucket: ({ s3 }, options) => s3.send(new HeadBucketCommand({ Bucket: BUCKET }), options),
  HeadObject: ({ s3 }, options) => s3.send(new HeadObjectCommand(object), options),
  ListObjectsV2: ({ s3 }, options) => s3.send(new ListObjectsV2Command({ Bucket: BUCKET }), options),
  PutObject: ({ s3 }, options) =>
    s3.send(new PutObjectCommand({ ...object, Body: Buffer.from("x") }), options),
} satisfies Readonly<Record<string, Send>>;
