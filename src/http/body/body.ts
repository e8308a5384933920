import type { TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { ServiceError } from "../../errors.ts";
import type { AttestationVerifier } from "../../proofs/app-attestation/verifier.ts";
import { memoise } from "../../runtime/memoise.ts";
import { MAX_JSON_BYTES, MAX_PAYLOAD_BYTES } from "../../runtime/sizes.ts";
import { contextOf } from "../request-context.ts";
import { describeMismatch, SchemaMismatch } from "../validation.ts";
import { CollectedBytes } from "./collected-bytes.ts";
import { requireNoCoding } from "./content-coding.ts";
import { isNestedDeeper } from "./json-depth.ts";
import { declaredLength, requestBodyOf } from "./request-body.ts";

/** Clients send less than half of this depth. */
export const MAX_JSON_DEPTH = 32;

interface BodyContext {
  readonly request: Request;
  body: unknown;
}

/**
 * Options of a route that takes JSON, at most 2 MiB. The body is checked where it is read: the framework's errors print the
 * value that does not fit, and that fails for an object that cannot be converted to a string.
 *
 * The route responds with `unsupported_media_type`; `content_too_large`, before reading if the client declared the length;
 * `service_unavailable` as `UploadBudget.admit`; `invalid_payload` when the body is not JSON in UTF-8, or as
 * {@link SchemaMismatch} when it does not fit.
 */
export function jsonBody<T extends TSchema>(schema: T) {
  return bodyOf(schema, (request) => readJson(request, MAX_JSON_BYTES));
}

/** As {@link jsonBody}, but a request without a body counts as `{}`, whatever type it names. */
export function optionalJsonBody<T extends TSchema>(schema: T) {
  return bodyOf(schema, async (request) => {
    requireNoCoding(request);
    if (isJson(request.headers.get("content-type"))) {
      const bytes = await readWhole(request, MAX_JSON_BYTES);
      return bytes.length === 0 ? "{}" : jsonText(bytes, "The body");
    }
    if (!(await isEmpty(request))) throw unsupportedType();
    return "{}";
  });
}

async function isEmpty(request: Request): Promise<boolean> {
  const declared = declaredLength(request.headers);
  if (declared !== null || request.body === null) return (declared ?? 0) === 0;
  for await (const { length } of limitedBody(request, MAX_JSON_BYTES)) if (length > 0) return false;
  return true;
}

/**
 * As {@link jsonBody} for a route that needs an attestation, at most 1 MiB. The attestation covers the bytes of the body,
 * so it is checked before they are parsed. The route responds with what {@link AttestationVerifier.verify} throws.
 */
export function attestedJsonBody<T extends TSchema>(schema: T, attestation: AttestationVerifier) {
  return bodyOf(schema, async (request) => {
    const body = await readJson(request, MAX_PAYLOAD_BYTES);
    const context = contextOf(request);
    const { failure } = await attestation.verify({
      header: request.headers.get("attestation-token"),
      method: request.method,
      path: context.path,
      body,
    });
    context.attestationFailure = failure;
    return body;
  });
}

function bodyOf<T extends TSchema>(schema: T, read: (request: Request) => Promise<string>) {
  const compiled = memoise(() => TypeCompiler.Compile(schema));
  return {
    body: schema,
    // With a parser the framework would make a stream of a body that is buffered already, and check it a second time.
    parse: "none",
    async transform(context: BodyContext): Promise<void> {
      const value = parseJson(await read(context.request), "The body");
      if (!compiled().Check(value)) throw new SchemaMismatch(describeMismatch(schema, value));
      context.body = value;
    },
  } as const;
}

async function readJson(request: Request, maxBytes: number): Promise<string> {
  requireNoCoding(request);
  if (!isJson(request.headers.get("content-type"))) throw unsupportedType();
  return jsonText(await readWhole(request, maxBytes), "The body");
}

function unsupportedType(): ServiceError {
  return new ServiceError("unsupported_media_type", "Send the body as application/json");
}

/** Reads a whole body, within the memory budget. */
async function readWhole(request: Request, maxBytes: number): Promise<Uint8Array> {
  const body = requestBodyOf(request);
  const declared = limitedLength(request, maxBytes);
  const declaredBytes = declared ?? 0;
  using reservation = contextOf(request).bodyMemory.admit(body, declaredBytes);
  if (body.isSmall) {
    reservation.arrived(declaredBytes, declaredBytes); // the server may have buffered any part of it
    return (await body.read()) ?? new Uint8Array();
  }
  const collected = new CollectedBytes(declared ?? maxBytes);
  for await (const chunk of limitedBody(request, maxBytes)) {
    collected.add(chunk);
    reservation.arrived(collected.length, collected.heldBytes);
  }
  return collected.bytes;
}

/** The declared length of a body. @throws ServiceError `content_too_large` when it is more than `maxBytes`. */
export function limitedLength({ headers }: Request, maxBytes: number): number | null {
  const declared = declaredLength(headers);
  if (declared !== null && declared > maxBytes) throw tooLarge(maxBytes);
  return declared;
}

/** @throws ServiceError `invalid_payload`; the message names the text by `what`. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ServiceError("invalid_payload", `${what} is not JSON`, { cause: error });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decodes UTF-8 that is to be parsed as JSON. @throws ServiceError `invalid_payload` as {@link parseJson}. */
export function jsonText(bytes: Uint8Array, what: string): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw new ServiceError("invalid_payload", `${what} is not UTF-8`, { cause: error });
  }
  if (isNestedDeeper(text, MAX_JSON_DEPTH))
    throw new ServiceError("invalid_payload", `${what} is nested too deeply`);
  return text;
}

/**
 * The bytes of a body as they arrive; a body of at most 64 KiB in one piece, if its length is declared.
 *
 * @throws ServiceError `content_too_large` as soon as more than `maxBytes` are known of; `invalid_payload` when the client
 *   closes the connection.
 */
export async function* limitedBody(
  request: Request,
  maxBytes: number,
): AsyncGenerator<Uint8Array, undefined> {
  limitedLength(request, maxBytes);
  const body = requestBodyOf(request);
  let received = 0;
  for (let bytes = await body.read(); bytes !== null; bytes = await body.read()) {
    received += bytes.length;
    if (received > maxBytes) throw tooLarge(maxBytes);
    yield bytes;
  }
}

export function tooLarge(maxBytes: number): ServiceError {
  return new ServiceError("content_too_large", `At most ${maxBytes} bytes are accepted here`);
}

/** `application/json` or a type with the `+json` suffix (RFC 6839 §3.1), with or without parameters. */
function isJson(contentType: string | null): boolean {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || /^application\/[^\s/]+\+json$/.test(type);
}
