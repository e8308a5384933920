import { type TSchema, Type } from "@sinclair/typebox";
import type { DocumentDecoration } from "elysia";
import { type ErrorCode, isRetryable, statusOf } from "../../errors.ts";
import { errorBody } from "../../protocol/error-body.ts";
import type { WireOperation } from "../../protocol/operation.ts";
import { upload } from "../../protocol/upload.ts";
import type { ErrorResponseBody } from "../response/error-response.ts";
import { SCHEMA_MISMATCH_STATUS } from "../validation.ts";
import { ATTESTATION_ERRORS, AUTHORISATION_ERRORS } from "./proof-errors.ts";

const ERRORS_OF_EVERY_ROUTE: readonly ErrorCode[] = [
  "request_timeout",
  "internal_server_error",
  "service_unavailable",
];
const ERRORS_OF_BODY = {
  json: ["invalid_payload", "content_too_large", "unsupported_media_type", "too_many_requests"],
  none: ["invalid_payload"], // for an invalid Host
  multipart: [
    "multipart_error",
    "missing_payload_field",
    "invalid_payload",
    "missing_backup_field",
    "empty_backup_file",
    "content_too_large",
    "too_many_requests",
  ],
} as const satisfies Record<string, readonly ErrorCode[]>;

const ATTESTATION_HEADER = {
  in: "header" as const,
  name: "attestation-token",
  description:
    "A JWS of the attestation gateway about this very request. Needed where the service enforces it.",
  required: false,
  schema: { type: "string" as const },
};

/**
 * The entry of an operation in the API reference.
 *
 * @param errors the codes of the handler itself. Those of its body, attestation and authorisation are added.
 */
export function describeOperation(
  { tag, summary, description, request, response, attested, isUpload, authorisedBy }: WireOperation,
  errors: readonly ErrorCode[] = [],
): DocumentDecoration {
  const kind = request === null ? "none" : isUpload === true ? "multipart" : "json";
  const codes = [
    ...ERRORS_OF_BODY[kind],
    ...(attested === true ? ATTESTATION_ERRORS : []),
    ...(authorisedBy === null ? [] : AUTHORISATION_ERRORS[authorisedBy]),
    ...errors,
    ...ERRORS_OF_EVERY_ROUTE,
  ];
  return {
    tags: [tag],
    summary,
    description,
    ...(attested === true ? { parameters: [ATTESTATION_HEADER] } : {}),
    ...(request !== null && isUpload === true ? { requestBody: multipartBody(request) } : {}),
    responses: {
      ...(response === null
        ? { 204: { description: "Done" } }
        : { 200: { description: "Done", content: json(response) } }),
      ...errorResponses(codes, kind === "json"),
    },
  };
}

function errorResponses(errors: readonly ErrorCode[], jsonBody: boolean) {
  const byStatus = Map.groupBy(new Set(errors), statusOf);
  if (jsonBody) byStatus.set(SCHEMA_MISMATCH_STATUS, ["invalid_payload"]);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\``).join(", "),
        content: json(errorSchema(status, codes)),
      },
    ]),
  );
}

function errorSchema(status: number, codes: readonly ErrorCode[]): TSchema {
  const [code = "internal_server_error"] = codes;
  const error = { code, message: "What is wrong, for a person to read" };
  const example: ErrorResponseBody = { allowRetry: isRetryable(status), error };
  return errorBody(Type.Unsafe<ErrorCode>({ type: "string", enum: [...codes] }), { example });
}

function multipartBody(payload: TSchema) {
  return {
    required: true,
    content: {
      "multipart/form-data": {
        schema: plain(upload(payload)),
        encoding: { payload: { contentType: "application/json" } },
      },
    },
  };
}

function json(schema: TSchema) {
  return { "application/json": { schema: plain(schema) } };
}

/** A schema as the JSON it is, without the symbols that make it a type. */
function plain(schema: TSchema): { description?: string } {
  return JSON.parse(JSON.stringify(schema));
}
