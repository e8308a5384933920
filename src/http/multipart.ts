/** Uploads: a JSON part `payload` and a binary part `backup`, in any order (RFC 7578). */
import type { Static, TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { make as createParser, type PartInfo } from "multipasta";
import { ServiceError } from "../errors.ts";
import { jsonText, limitedBody, parseJson, tooLarge } from "./body.ts";
import { describeMismatch } from "./validation.ts";

const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** What the payload part and the framing may add to the largest backup. */
const OVERHEAD_BYTES = 1024 * 1024;
const MAX_PARTS = 16;
const DASH = 0x2d;

export interface Upload<Payload> {
  readonly payload: Payload;
  /** The backup in the pieces in which it arrived. */
  readonly backup: readonly Uint8Array[];
}

/**
 * Reads an upload.
 *
 * @throws ServiceError in this order: `content_too_large` for a whole or a payload that is; `multipart_error`;
 *   `missing_payload_field`; `invalid_payload`; `missing_backup_field`; `empty_backup_file`; `content_too_large` for
 *   a backup over `maxBackupBytes`.
 */
export async function readUpload<T extends TSchema>(
  request: Request,
  payloadSchema: TypeCheck<T>,
  maxBackupBytes: number,
): Promise<Upload<Static<T>>> {
  const { payload, backup } = await readParts(request, maxBackupBytes);
  if (payload === null) throw new ServiceError("missing_payload_field", "The part payload is missing");
  if (payload.size > MAX_PAYLOAD_BYTES) throw tooLarge(MAX_PAYLOAD_BYTES);
  const parsed = parsePayload(payload, payloadSchema);
  if (backup === null) throw new ServiceError("missing_backup_field", "The part backup is missing");
  if (backup.size === 0) throw new ServiceError("empty_backup_file", "The part backup is empty");
  if (backup.size > maxBackupBytes) throw tooLarge(maxBackupBytes);
  return { payload: parsed, backup: backup.chunks };
}

function parsePayload<T extends TSchema>(payload: Part, schema: TypeCheck<T>): Static<T> {
  const value = parseJson(jsonText(payload.chunks, "The part payload"), "The part payload");
  if (!schema.Check(value))
    throw new ServiceError(
      "invalid_payload",
      `In the part payload, ${describeMismatch(schema.Schema(), value)}`,
    );
  return value;
}

/** A part; `chunks` ends at the limit, `size` counts on. */
interface Part {
  readonly chunks: Uint8Array[];
  size: number;
}

async function readParts(request: Request, maxBackupBytes: number) {
  const contentType = request.headers.get("content-type") ?? "";
  const limits = new Map([
    ["payload", MAX_PAYLOAD_BYTES],
    ["backup", maxBackupBytes],
  ]);
  const parts = new Map<string, Part>();
  let problem = /^multipart\/form-data\s*;/i.test(contentType) ? null : "its content-type is another";
  let complete = false;

  const parser = createParser({
    headers: { "content-type": contentType },
    maxParts: MAX_PARTS,
    isFile: () => true, // every part as a stream, with or without a filename
    onField: () => {},
    onFile({ name }: PartInfo) {
      const limit = limits.get(name);
      if (limit === undefined) return () => {};
      if (parts.has(name)) problem ??= `the part ${name} is there twice`;
      const part: Part = { chunks: [], size: 0 };
      parts.set(name, part);
      return (chunk) => {
        if (chunk === null) return;
        part.size += chunk.length;
        if (part.size <= limit) part.chunks.push(chunk);
      };
    },
    onError(error) {
      problem ??= error._tag;
    },
    onDone() {
      complete = true;
    },
  });

  const write = wholeDelimiters(parser.write);
  for await (const chunk of limitedBody(request, maxBackupBytes + OVERHEAD_BYTES)) {
    write(chunk);
    if (problem !== null) break;
  }
  write(null);
  parser.end();
  if (problem !== null || !complete)
    throw new ServiceError(
      "multipart_error",
      `The body is not a whole multipart/form-data: ${problem ?? "it ends early"}`,
    );
  return { payload: parts.get("payload") ?? null, backup: parts.get("backup") ?? null };
}

/**
 * The parser takes the two dashes behind the last boundary for a header when a chunk ends between or before them, so
 * up to two dashes at the end of a chunk wait for the next one. `null` ends the body.
 */
function wholeDelimiters(write: (chunk: Uint8Array) => void): (chunk: Uint8Array | null) => void {
  let held = 0;
  return (chunk) => {
    const whole =
      held === 0 && chunk !== null ? chunk : Buffer.concat([Buffer.alloc(held, DASH), chunk ?? Buffer.of()]);
    held = 0;
    if (chunk !== null) while (held < 2 && whole.at(-1 - held) === DASH) held++;
    write(whole.subarray(0, whole.length - held));
  };
}
