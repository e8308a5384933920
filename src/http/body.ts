import { ServiceError } from "../errors.ts";

const MAX_JSON_BYTES = 2 * 1024 * 1024;

/**
 * Reads the body of a JSON route, at most 2 MiB of it, whatever the content is.
 *
 * @throws ServiceError `unsupported_media_type`; `content_too_large`, before reading where the client declared the
 *   length; `invalid_payload` when it is not JSON in UTF-8.
 */
export async function jsonBody({ request }: { readonly request: Request }): Promise<unknown> {
  if (!isJson(request.headers.get("content-type")))
    throw new ServiceError("unsupported_media_type", "Send the body as application/json");
  const chunks: Uint8Array[] = [];
  for await (const chunk of limitedBody(request, MAX_JSON_BYTES)) chunks.push(chunk);
  return parseJson(chunks, "The body");
}

/**
 * Reads JSON in UTF-8.
 *
 * @throws ServiceError `invalid_payload`; the message names the text by `what`.
 */
export function parseJson(chunks: readonly Uint8Array[], what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    throw new ServiceError("invalid_payload", `${what} is not JSON in UTF-8`, { cause: error });
  }
}

/**
 * The bytes of a body as they arrive.
 *
 * @throws ServiceError `content_too_large` as soon as it is known that there are more than `maxBytes`.
 */
export async function* limitedBody(request: Request, maxBytes: number): AsyncGenerator<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return;
  let received = 0;
  for await (const chunk of request.body) {
    received += chunk.length;
    if (received > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
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
