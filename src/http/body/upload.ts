/** Uploads: a JSON part `payload` that says what to do, and the ciphertext itself as the part `backup`. */
import type { Static, TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { ServiceError } from "../../errors.ts";
import type { MemoryReservation, UploadBudget } from "../../limits/upload-budget.ts";
import { MAX_PAYLOAD_BYTES, UPLOAD_OVERHEAD_BYTES } from "../../runtime/sizes.ts";
import { describeMismatch } from "../validation.ts";
import { jsonText, limitedBody, limitedLength, parseJson, tooLarge } from "./body.ts";
import { requireNoCoding } from "./content-coding.ts";
import { UploadParts } from "./multipart.ts";
import type { Part } from "./part.ts";
import { requestBodyOf } from "./request-body.ts";

export interface UploadOptions {
  readonly maxBackupBytes: number;
  readonly budget: UploadBudget;
}

/**
 * Reads an upload and hands it to `use`, the backup while it still arrives if the payload came first. `content` fails
 * at its end when the upload is not in order, so `use` must not commit to it before. `arrivedBytes` says how much of it
 * has arrived.
 *
 * Errors of the upload take precedence over errors of `use`: when `use` fails, the rest is read first, unless `use` has
 * closed it.
 *
 * @throws ServiceError in this order: `content_too_large` for a whole that is; `multipart_error`;
 *   `missing_payload_field`; `content_too_large` for the payload; `invalid_payload`; `missing_backup_field`;
 *   `empty_backup_file`; `content_too_large` for the backup; what `use` throws. `service_unavailable` at once when too
 *   much is being uploaded already.
 */
export async function withUpload<T extends TSchema, Result>(
  request: Request,
  schema: TypeCheck<T>,
  { maxBackupBytes, budget }: UploadOptions,
  use: (
    payload: Static<T>,
    content: AsyncIterable<Uint8Array>,
    arrivedBytes: () => number,
  ) => Promise<Result>,
): Promise<Result> {
  requireNoCoding(request);
  const maxBytes = maxBackupBytes + UPLOAD_OVERHEAD_BYTES;
  const declared = limitedLength(request, maxBytes) ?? maxBytes;
  const body = requestBodyOf(request);
  body.isUpload = true;
  using reservation = budget.admit(body, declared);
  if (body.isSmall) reservation.arrived(declared, declared); // the server may hold any part of it by now

  const contentType = request.headers.get("content-type") ?? "";
  const limits = { maxPayloadBytes: MAX_PAYLOAD_BYTES, maxBackupBytes };
  const parts = new UploadParts(contentType, limitedBody(request, maxBytes), limits);
  while (parts.payload?.isComplete !== true && (await parts.advance()))
    reservation.arrived(body.arrival.bytes, parts.backup?.size ?? 0);
  const payload = await orEndOf(parts, reservation, () => parsePayload(parts.payload, schema));
  const content = contentOf(parts, maxBackupBytes, () => reservation.arrived(body.arrival.bytes, 0));
  try {
    return await use(payload, content, () => parts.backup?.size ?? 0);
  } catch (error) {
    reservation[Symbol.dispose](); // what is only discarded takes no memory
    for await (const _piece of content);
    throw error;
  }
}

function parsePayload<T extends TSchema>(payload: Part | null, schema: TypeCheck<T>): Static<T> {
  if (payload === null) throw new ServiceError("missing_payload_field", "The part payload is missing");
  if (payload.size > MAX_PAYLOAD_BYTES) throw tooLarge(MAX_PAYLOAD_BYTES);
  const value = parseJson(jsonText(payload.takeAll(), "The part payload"), "The part payload");
  if (!schema.Check(value))
    throw new ServiceError(
      "invalid_payload",
      `In the part payload, ${describeMismatch(schema.Schema(), value)}`,
    );
  return value;
}

/** The bytes of the backup, each once: a second reader gets the rest. */
async function* contentOf(
  parts: UploadParts,
  maxBackupBytes: number,
  onArrival: () => void,
): AsyncGenerator<Uint8Array, undefined> {
  do {
    onArrival();
    for (let piece = parts.backup?.take(); piece; piece = parts.backup?.take()) yield piece;
  } while (await parts.advance());
  const { backup } = parts;
  if (backup === null) throw new ServiceError("missing_backup_field", "The part backup is missing");
  if (backup.size === 0) throw new ServiceError("empty_backup_file", "The part backup is empty");
  if (backup.size > maxBackupBytes) throw tooLarge(maxBackupBytes);
}

/** Where `step` fails, reads to the end of the body first: errors of the framing take precedence. */
async function orEndOf<T>(parts: UploadParts, reservation: MemoryReservation, step: () => T): Promise<T> {
  try {
    return step();
  } catch (error) {
    reservation[Symbol.dispose]();
    do parts.backup?.takeAll();
    while (await parts.advance());
    throw error;
  }
}
