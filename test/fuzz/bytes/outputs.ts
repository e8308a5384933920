/** Outputs of DynamoDB and S3 as the protocol reads them from a body: of the form that the stores go on with, or an error. */
import { GetItem$, GetItemCommand, Query$ } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, ListObjectsV2$ } from "@aws-sdk/client-s3";
import { HttpResponse } from "@smithy/core/protocols";
import type { StaticOperationSchema } from "@smithy/types";
import { createDynamoDbClient, createS3Client } from "../../../src/storage/aws/clients.ts";
import { dynamoDbJson } from "../../../src/storage/aws/direct/dynamodb-json.ts";
import { createEndpointOf } from "../../../src/storage/aws/direct/endpoint.ts";
import type { DirectProtocol } from "../../../src/storage/aws/direct/service.ts";
import { setAwsCredentials } from "../../support/aws-config.ts";
import { randomJson } from "./json-grammar.ts";
import { randomList } from "./s3-lists.ts";
import { CONFIG, DYNAMODB_CORPUS, DYNAMODB_PIECES, S3_CORPUS, S3_PIECES } from "./stores.ts";
import { ACCEPTED, kindOf, requireThat, type Target } from "./target.ts";

const STATUSES = [200, 200, 200, 400, 503] as const;

function operationOf([, namespace, name, traits, input, output]: StaticOperationSchema) {
  return { namespace, name, traits, input, output };
}

function isMap(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface ReadProtocol {
  readonly protocol: DirectProtocol;
  readonly context: Parameters<DirectProtocol["deserializeResponse"]>[1];
}

export async function dynamoDbProtocol(make = dynamoDbJson): Promise<ReadProtocol> {
  setAwsCredentials();
  const { config } = createDynamoDbClient(CONFIG);
  const endpoint = await createEndpointOf(config, GetItemCommand)({}, undefined);
  if (endpoint === null || config.protocol === undefined) throw new Error("there is no protocol");
  return { protocol: make(config.protocol), context: endpoint.context };
}

export async function s3Protocol(): Promise<ReadProtocol> {
  setAwsCredentials();
  const { config } = createS3Client(CONFIG);
  const input = { Bucket: "bucket", Key: "key" };
  const endpoint = await createEndpointOf(config, GetObjectCommand)(input, undefined);
  if (endpoint === null || config.protocol === undefined) throw new Error("there is no protocol");
  return { protocol: config.protocol, context: endpoint.context };
}

/** Reads bodies as the outputs of an operation. */
export function readerOf({ protocol, context }: ReadProtocol, schema: StaticOperationSchema) {
  const operation = operationOf(schema);
  return (body: Uint8Array, statusCode = 200): Promise<{ $metadata: object }> =>
    protocol.deserializeResponse(operation, context, new HttpResponse({ statusCode, headers: {}, body }));
}

export async function dynamoDbOutputTarget(make = dynamoDbJson): Promise<Target> {
  const protocol = await dynamoDbProtocol(make);
  const readers = [readerOf(protocol, GetItem$), readerOf(protocol, Query$)] as const;
  return {
    name: "outputs of DynamoDB",
    corpus: DYNAMODB_CORPUS,
    dictionary: DYNAMODB_PIECES,
    generate: (dice) => Buffer.from(randomJson(dice, ["Item", "Items", "LastEvaluatedKey", "S", "N", "B"])),
    run(input, dice) {
      const status = dice.of(STATUSES);
      const reading = dice.of(readers)(input, status);
      return outcomeOfReading(reading, (output) => {
        const { Item, Items, LastEvaluatedKey } = { Item: {}, Items: [], LastEvaluatedKey: {}, ...output };
        requireThat(isMap(Item) && isMap(LastEvaluatedKey), "has an item that is no map");
        requireThat(Array.isArray(Items) && Items.every(isMap), "has items that are no list of maps");
      });
    },
  };
}

async function outcomeOfReading<T>(reading: Promise<T>, check: (output: T) => void): Promise<string> {
  const output = await reading.catch((error: unknown) => {
    if (error instanceof Error) return error;
    throw error;
  });
  if (output instanceof Error && "$fault" in output) return "an error"; // of any name
  if (output instanceof Error) return `${output.name}: ${kindOf(output.message)}`.slice(0, 60);
  check(output);
  return ACCEPTED;
}

/** @param change of the protocol of the SDK. */
export async function s3OutputTarget(
  change: (protocol: DirectProtocol) => DirectProtocol = (protocol) => protocol,
): Promise<Target> {
  const { protocol, context } = await s3Protocol();
  const readList = readerOf({ protocol: change(protocol), context }, ListObjectsV2$);
  return {
    name: "lists of S3",
    corpus: S3_CORPUS,
    dictionary: S3_PIECES,
    generate: randomList,
    run(input, dice) {
      const reading = readList(input, dice.of(STATUSES));
      return outcomeOfReading(reading, (output) => {
        const { Contents } = { Contents: [], ...output };
        requireThat(Array.isArray(Contents) && Contents.every(isMap), "is no list of objects");
      });
    },
  };
}
