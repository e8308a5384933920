import type { DocumentDecoration } from "elysia";
import { type ErrorCode, isRetryable, statusOf } from "../../errors.ts";
import type { WireOperation } from "../../protocol/operation.ts";
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
    "unsupported_media_type", // for a content-encoding
    "too_many_requests",
  ],
} as const satisfies Record<string, readonly ErrorCode[]>;

/** A reference to a named part of the document. */
export function component<Kind extends string>(kind: Kind, name: string) {
  return { $ref: `#/components/${kind}/${name}` };
}

/**
 * The entry of an operation in the API reference, as far as its route knows it: the rest is in the protocol.
 *
 * @param errors the codes of the handler itself. Those of its body, attestation and authorisation are added.
 */
export function describeOperation(
  { tag, summary, description, request, isUpload, attested, authorisedBy }: WireOperation,
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
  return { tags: [tag], summary, description, responses: errorResponses(codes, kind === "json") };
}

function errorResponses(errors: readonly ErrorCode[], jsonBody: boolean) {
  const byStatus = Map.groupBy(new Set(errors), statusOf);
  if (jsonBody) byStatus.set(SCHEMA_MISMATCH_STATUS, ["invalid_payload"]);
  return Object.fromEntries([...byStatus].map(([status, codes]) => [status, errorResponse(status, codes)]));
}

/** Each code is an example of its own, so that readers and tools see which ones an operation can respond with. */
function errorResponse(status: number, codes: readonly ErrorCode[]) {
  return {
    description: codes.map((code) => `\`${code}\``).join(", "),
    headers: {
      "x-request-id": component("headers", "x-request-id"),
      ...(isRetryable(status) && status !== 423
        ? { "retry-after": component("headers", "retry-after") }
        : {}),
    },
    content: {
      "application/json": {
        schema: component("schemas", "ErrorBody"),
        examples: Object.fromEntries(codes.map((code) => [code, component("examples", code)])),
      },
    },
  };
}
