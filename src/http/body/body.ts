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

/** What clients send is less than half as deep. */
const MAX_JSON_DEPTH = 32;

interface BodyContext {
  readonly request: Request;
  body: unknown;
}

/**
 * How a route takes its body as JSON, at most 2 MiB of it: to be spread among its options. The body is checked where it
 * is read, because the framework's own errors print the value that does not fit, which can be made to fail.
 *
 * The route answers `unsupported_media_type`; `content_too_large`, before reading where the client declared the length;
 * `service_unavailable` when bodies take too much memory already; `invalid_payload` when the body is not JSON in UTF-8,
 * or as {@link SchemaMismatch} when it does not fit.
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

/** Reads no more of the body than that takes. */
async function isEmpty(request: Request): Promise<boolean> {
  const declared = declaredLength(request.headers);
  if (declared !== null || request.body === null) return (declared ?? 0) === 0;
  for await (const { length } of limitedBody(request, MAX_JSON_BYTES)) if (length > 0) return false;
  return true;
}

/**
 * As {@link jsonBody} for a route that needs an attestation, at most 1 MiB. The attestation is about the very bytes
 * that are parsed later, and is checked before anything in them is parsed; the route answers what
 * {@link AttestationVerifier.verify} throws.
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
    // The only check of the body: without a parser the framework makes none. With one it would first touch
    // `request.body`, which makes a stream of a body that is there already, and afterwards check it a second time.
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

/** All of a body. It takes its part of the memory that bodies may take together. */
async function readWhole(request: Request, maxBytes: number): Promise<Uint8Array> {
  const body = requestBodyOf(request);
  const declared = limitedLength(request, maxBytes);
  const declaredBytes = declared ?? 0;
  using reservation = contextOf(request).bodyMemory.admit(body, declaredBytes);
  if (body.isSmall) {
    reservation.arrived(declaredBytes, declaredBytes); // the server may hold any part of it by now
    return (await body.read()) ?? new Uint8Array();
  }
  const collected = new CollectedBytes(declared ?? maxBytes);
  for await (const chunk of limitedBody(request, maxBytes)) {
    collected.add(chunk);
    reservation.arrived(collected.length, collected.heldBytes);
  }
  return collected.bytes;
}

/**
 * The length that a body is declared with, if it is.
 *
 * @throws ServiceError `content_too_large` when it is more than `maxBytes`.
 */
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

/**
 * Decodes a text that is to be parsed as JSON.
 *
 * @throws ServiceError `invalid_payload` when it is not UTF-8 or nested too deeply; the message names the text by `what`.
 */
export function jsonText(bytes: Uint8Array, what: string): string {
  const text = decodeUtf8(bytes, what);
  if (isNestedDeeper(text, MAX_JSON_DEPTH))
    throw new ServiceError("invalid_payload", `${what} is nested too deeply`);
  return text;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new ServiceError("invalid_payload", `${what} is not UTF-8`, { cause: error });
  }
}

/**
 * The bytes of a body as they arrive; one that is declared with at most 64 KiB as a whole.
 *
 * @throws ServiceError `content_too_large` as soon as it is known that there are more than `maxBytes`;
 *   `invalid_payload` when the client breaks off.
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
