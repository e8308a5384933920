import { HttpRequest } from "@smithy/core/protocols";
import { NormalizedSchema } from "@smithy/core/schema";
import type { $OperationSchema, HttpResponse } from "@smithy/types";
import type { DirectProtocol } from "./service.ts";

const CONTENT_TYPE = "application/x-amz-json-1.0";
const TARGET = "DynamoDB_20120810";
/** Is in every JSON text with binary attributes, and seldom in others: within a text the quotes are escaped. */
const BINARY = /"BS?"/;

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
        path: path.endsWith("/") ? path : `${path}/`,
        method: "POST",
        headers: { "content-type": CONTENT_TYPE, "x-amz-target": `${TARGET}.${operation.name}` },
        body: Buffer.from(text),
      });
    },

    async deserializeResponse(operation, context, response) {
      const text = response.statusCode === 200 ? textOf(response) : "";
      if (text === "" || BINARY.test(text) || operation.name === "DescribeTable")
        return sdk.deserializeResponse(operation, context, response);
      const found = Object(JSON.parse(text));
      const output = Object(metadataOf(response));
      for (const name of membersOf(operation)) if (found[name] != null) output[name] = found[name];
      return output;
    },
  };
}

function textOf({ body }: HttpResponse): string {
  return body instanceof Uint8Array
    ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
    : "";
}

function metadataOf({ statusCode, headers }: HttpResponse) {
  return { $metadata: { httpStatusCode: statusCode, requestId: headers["x-amzn-requestid"] } };
}
