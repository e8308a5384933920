/** The OpenAPI 3.1 document: what the routes say of themselves, and what the protocol says of them. */
import { type TSchema, Type } from "@sinclair/typebox";
import { ERROR_CODES, type ErrorCode, isRetryable, statusOf } from "../../errors.ts";
import { errorBody } from "../../protocol/error-body.ts";
import { allExamples } from "../../protocol/examples/all.ts";
import { type NamedOperation, namedOperations } from "../../protocol/named-operations.ts";
import { tags } from "../../protocol/operation.ts";
import { ERROR_GUIDE, errorTable } from "./error-guide.ts";
import { INTRODUCTION, TITLE } from "./introduction.ts";
import { component } from "./openapi.ts";
import { Components, pascal, type Schema } from "./schema.ts";

/** An operation as its route describes it. */
interface Described {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly responses?: Readonly<Record<string, object>>;
}

export type DescribedPaths = Readonly<Record<string, Readonly<Record<string, Described>>>>;

const ATTESTATION =
  "A JWS of the attestation gateway about this very request. Needed where the service enforces it.";

const HEADERS = {
  "x-request-id": {
    description: "The request's own id if it has one in this header, otherwise a new one. It is in the log.",
    schema: { type: "string", maxLength: 128 },
  },
  "retry-after": {
    description: "Seconds after which the same request may be sent again.",
    schema: { type: "integer", minimum: 1 },
  },
  "attestation-failure": {
    description: "Why the attestation would be refused, where the service only reports it.",
    schema: { type: "string" },
  },
} as const;

const ErrorCodes = Type.Unsafe<ErrorCode>({
  type: "string",
  enum: [...ERROR_CODES],
  description: `What is wrong. Codes may be added.\n\n${errorTable()}`,
});
/** Of every operation, and of no other. */
const errorSchemas = { ErrorCode: ErrorCodes, ErrorBody: errorBody(ErrorCodes) };

export function openApiDocument(described: DescribedPaths, version: string) {
  const components = new Components(errorSchemas);
  const paths: Record<string, Record<string, object>> = {};
  for (const named of namedOperations) {
    const { method, path } = named.wire;
    const detail = described[path]?.[method.toLowerCase()];
    if (detail !== undefined) paths[path] = { [method.toLowerCase()]: operation(named, detail, components) };
  }
  components.schema(errorSchemas.ErrorBody, "ErrorBody");
  return {
    openapi: "3.1.0",
    info: { title: TITLE, version, description: INTRODUCTION, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: "/", description: "The service that serves this document" }],
    security: [],
    tags: [...tags],
    paths,
    components: {
      schemas: components.schemas,
      headers: HEADERS,
      // besides the security scheme: each request has a token of its own, so generated clients take it with the call
      parameters: {
        "attestation-token": {
          in: "header",
          name: "attestation-token",
          description: ATTESTATION,
          schema: { type: "string" },
        },
      },
      examples: Object.fromEntries(codesOf(paths).map((code) => [code, errorExample(code)])),
      securitySchemes: {
        attestation: { type: "apiKey", in: "header", name: "attestation-token", description: ATTESTATION },
      },
    },
  };
}

function operation(named: NamedOperation, { responses, ...detail }: Described, components: Components) {
  const { name, wire, challenges } = named;
  const attested = wire.attested === true;
  const issuers = challenges.map((challenge) => `\`${challenge}\``).join(" or ");
  return {
    ...detail,
    operationId: name,
    description: wire.description + (issuers === "" ? "" : ` Its challenge: ${issuers}.`),
    ...(attested
      ? {
          security: [{ attestation: [] }, {}],
          parameters: [component("parameters", "attestation-token")],
        }
      : {}),
    ...(wire.request === null ? {} : { requestBody: requestBody(named, wire.request, components) }),
    responses: { ...success(named, components), ...responses },
  };
}

function requestBody(named: NamedOperation, request: TSchema, components: Components) {
  const { wire } = named;
  const payload = components.schema(request, `${pascal(named.name)}Request`);
  const example = exampleOf(named);
  const body: unknown = JSON.parse(example?.request ?? "{}");
  if (wire.isUpload !== true)
    return {
      required: wire.isBodyOptional !== true,
      content: { "application/json": { schema: payload, example: body } },
    };
  const backup: Schema = {
    type: "string",
    format: "binary",
    contentMediaType: "application/octet-stream",
    description: "The ciphertext, 1 byte to 15 MiB.",
  };
  return {
    required: true,
    content: {
      "multipart/form-data": {
        schema: { type: "object", required: ["payload", "backup"], properties: { payload, backup } },
        encoding: {
          payload: { contentType: "application/json" },
          backup: { contentType: "application/octet-stream" },
        },
        example: { payload: body, backup: example?.backup },
      },
    },
  };
}

function success(named: NamedOperation, components: Components) {
  const { response: schema, attested } = named.wire;
  const headers = {
    "x-request-id": component("headers", "x-request-id"),
    ...(attested === true ? { "attestation-failure": component("headers", "attestation-failure") } : {}),
  };
  if (schema === null) return { 204: { description: "Done", headers } };
  const links = linksOf(named);
  const content = {
    "application/json": {
      schema: components.schema(schema, `${pascal(named.name)}Response`),
      example: JSON.parse(exampleOf(named)?.response ?? "null") as unknown,
    },
  };
  return { 200: { description: "Done", headers, content, ...(links === null ? {} : { links }) } };
}

/** From a challenge to the operation that takes it, and from a recovery to the new device's sync factor. */
function linksOf({ name, wire, solvedIn }: NamedOperation) {
  // which member becomes which is said in words: a common parser refuses an object as `requestBody` of a link
  const link = (operationId: string, members: string) => ({
    [operationId]: { operationId, description: `Takes ${members} of this response.` },
  });
  if (name === "recover") return link("addSyncFactor", "`syncFactorToken`");
  if (solvedIn === null) return null;
  const tokens = Object.keys(wire.response?.properties ?? {}).filter((member) => /token$/i.test(member));
  return link(solvedIn, `${tokens.map((token) => `\`${token}\``).join(" and ")}, with the solved challenge,`);
}

function exampleOf({ wire }: NamedOperation) {
  return allExamples.find(({ method, path }) => method === wire.method && path === wire.path);
}

/** The codes that some operation can respond with. */
function codesOf(paths: object): ErrorCode[] {
  const text = JSON.stringify(paths);
  return ERROR_CODES.filter((code) => text.includes(JSON.stringify(component("examples", code))));
}

function errorExample(code: ErrorCode) {
  const { meaning, action } = ERROR_GUIDE[code];
  const allowRetry = isRetryable(statusOf(code));
  return {
    summary: meaning,
    description: action,
    value: { allowRetry, error: { code, message: meaning } },
  };
}
