/** Uploads: the request as JSON in the part `payload`, and the ciphertext in the part `backup`. */
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
 * Passes an upload to `use`, and the backup while it arrives if the payload came first. `content` throws at its end if
 * the upload is invalid, so `use` must not commit before. `arrivedBytes` returns how much of the backup has arrived.
 *
 * If `use` fails, the rest is read first, unless `use` has closed `content`: errors of the upload take precedence.
 *
 * @throws ServiceError in this order: `content_too_large` for the body; `multipart_error`; `missing_payload_field`;
 *   `content_too_large` for the payload; `invalid_payload`; `missing_backup_field`; `empty_backup_file`;
 *   `content_too_large` for the backup; what `use` throws. `service_unavailable` as {@link UploadBudget.admit}.
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
  if (body.isSmall) reservation.arrived(declared, declared); // the server may have buffered any part of it

  const contentType = request.headers.get("content-type") ?? "";
  const parts = new UploadParts(contentType, limitedBody(request, maxBytes), maxBackupBytes);
  while (parts.payload?.isComplete !== true && (await parts.advance()))
    reservation.arrived(body.arrival.bytes, parts.backup?.size ?? 0);
  const payload = await orEndOf(parts, reservation, () => parsePayload(parts.payload, schema));
  const content = contentOf(parts, maxBackupBytes, () => reservation.arrived(body.arrival.bytes, 0));
  try {
    return await use(payload, content, () => parts.backup?.size ?? 0);
  } catch (error) {
    reservation[Symbol.dispose](); // discarded bytes take no memory
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

/** The bytes of the backup. A second reader gets the rest. */
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

/** If `step` fails, reads to the end of the body first: errors of the framing take precedence. */
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
