import { HttpRequest, HttpResponse as SdkResponse } from "@smithy/core/protocols";
import { NormalizedSchema } from "@smithy/core/schema";
import type { $OperationSchema, HttpResponse } from "@smithy/types";
import type { DirectProtocol } from "./service.ts";

const CONTENT_TYPE = "application/x-amz-json-1.0";
const TARGET = "DynamoDB_20120810";
/** Is in every JSON text with binary attributes, and seldom in others: within a text the quotes are escaped. */
const BINARY = /"BS?"/;
/** In a number, or in a text, where it does not matter. */
const LARGE_EXPONENT = /\de[+-]?\d{4}/i;

/**
 * The protocol of DynamoDB by the runtime's JSON, in place of the SDK's walk through schemas, character by character.
 * Attributes are JSON as they are, except binary ones: those, errors and outputs with times are left to the SDK. Members
 * have the order of the input; an idempotency token has to be there already.
 */
export function dynamoDbJson(sdk: DirectProtocol): DirectProtocol {
  const outputs = new Map<string, readonly string[]>();

  /** The names of the members of an output. */
  function membersOf({ name, output }: $OperationSchema): readonly string[] {
    const known = outputs.get(name) ?? Object.keys(NormalizedSchema.of(output).getMemberSchemas());
    outputs.set(name, known);
    return known;
  }

  return {
    async serializeRequest(operation, input, context) {
      const text = JSON.stringify(input);
      if (BINARY.test(text)) return sdk.serializeRequest(operation, input, context);
      const { protocol, hostname, port, path } = await context.endpoint();
      return new HttpRequest({
        protocol,
        hostname,
        ...(port !== undefined && { port }),
        path,
        method: "POST",
        headers: { "content-type": CONTENT_TYPE, "x-amz-target": `${TARGET}.${operation.name}` },
        body: Buffer.from(text),
      });
    },

    async deserializeResponse(operation, context, response) {
      const text = textOf(response);
      if (response.statusCode !== 200 || BINARY.test(text) || operation.name === "DescribeTable")
        return requireShapes(await sdk.deserializeResponse(operation, context, withFiniteNumbers(response)));
      const found: unknown = JSON.parse(text);
      if (!isMap(found)) throw noOutput("a response");
      const output = Object(metadataOf(response));
      for (const name of membersOf(operation)) {
        const member: unknown = Reflect.get(found, name);
        if (member != null) output[name] = member;
      }
      return requireShapes(output);
    },
  };
}

/** Of the members of outputs those that are read further; attributes are checked where they are read. */
const SHAPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  Attributes: isMap,
  Item: isMap,
  Items: isListOfMaps,
  LastEvaluatedKey: isMap,
  Responses: (value) => isMap(value) && Object.values(value).every(isListOfMaps),
  UnprocessedKeys: (value) => isMap(value) && Object.values(value).every(isUnprocessed),
};

/** @throws Error for what is no output of DynamoDB, such as the JSON of a proxy: the SDK checks no more than the syntax. */
function requireShapes<Output extends object>(output: Output): Output {
  for (const [name, fits] of Object.entries(SHAPES)) {
    const member: unknown = Reflect.get(output, name);
    if (member !== undefined && !fits(member)) throw noOutput(name);
  }
  return output;
}

function noOutput(what: string): Error {
  return new Error(`${what} has another form than DynamoDB's`);
}

function isMap(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOfMaps(value: unknown): boolean {
  return Array.isArray(value) && value.every(isMap);
}

function isUnprocessed(value: unknown): boolean {
  return isMap(value) && (!("Keys" in value) || isListOfMaps(value.Keys));
}

/** The SDK makes an integer of any exponent, digit by digit: `1e999999999` would block the process for minutes. */
function withFiniteNumbers(response: HttpResponse): HttpResponse {
  const text = textOf(response);
  if (!LARGE_EXPONENT.test(text)) return response;
  return new SdkResponse({ ...response, body: Buffer.from(JSON.stringify(JSON.parse(text))) });
}

function textOf({ body }: HttpResponse): string {
  return body instanceof Uint8Array
    ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
    : "";
}

function metadataOf({ statusCode, headers }: HttpResponse) {
  return { $metadata: { httpStatusCode: statusCode, requestId: headers["x-amzn-requestid"] } };
}
