/** Uploads: a JSON part `payload` that says what to do, and the ciphertext itself as the part `backup`. */
import type { Static, TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { ServiceError } from "../../errors.ts";
import type { ReadingTurns } from "../../limits/reading-turns.ts";
import type { MemoryReservation, UploadBudget } from "../../limits/upload-budget.ts";
import { type Chunks, chunksOf } from "../../runtime/chunks.ts";
import { describeMismatch } from "../validation.ts";
import { jsonText, limitedBody, limitedLength, parseJson, tooLarge } from "./body.ts";
import { requireNoCoding } from "./content-coding.ts";
import { UploadParts } from "./multipart.ts";
import type { Part } from "./part.ts";
import { requestBodyOf } from "./request-body.ts";

export interface UploadOptions {
  readonly maxBackupBytes: number;
  readonly budget: UploadBudget;
  readonly readingTurns: ReadingTurns;
}

const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** What the payload part and the framing may add to the largest backup. */
const OVERHEAD_BYTES = 1024 * 1024;
/** A body of this size needs no turn: it holds little memory. */
const UNTURNED_BYTES = 256 * 1024;

/**
 * Reads an upload and hands it to `use`, the backup while it still arrives if the payload came first. `content` fails
 * at its end when the upload is not in order, so `use` must not commit to it before.
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
  { maxBackupBytes, budget, readingTurns }: UploadOptions,
  use: (payload: Static<T>, content: AsyncIterable<Uint8Array>) => Promise<Result>,
): Promise<Result> {
  requireNoCoding(request);
  const maxBytes = maxBackupBytes + OVERHEAD_BYTES;
  const declared = limitedLength(request, maxBytes) ?? maxBytes;
  const body = requestBodyOf(request);
  body.isUpload = true;
  using reservation = budget.admit(body, declared);
  if (body.isSmall) reservation.arrived(declared, declared); // the server may hold any part of it by now

  const limited = limitedBody(request, maxBytes);
  const turns = declared <= UNTURNED_BYTES ? null : readingTurns.take(limited);
  const chunks = turns ?? limited;
  try {
    const parts = new UploadParts(request, chunks, { maxPayloadBytes: MAX_PAYLOAD_BYTES, maxBackupBytes });
    while (parts.payload?.isComplete !== true && (await parts.advance()))
      reservation.arrived(parts.size, parts.backup?.size ?? 0);
    const payload = await orEndOf(parts, reservation, () => parsePayload(parts.payload, schema));
    turns?.giveBack(); // checking the proofs in the payload may take a while
    const content = contentOf(parts, maxBackupBytes, reservation);
    try {
      return await use(payload, content);
    } catch (error) {
      reservation[Symbol.dispose](); // what is only discarded takes no memory
      await drain(content);
      throw error;
    }
  } finally {
    await chunks.return();
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
function contentOf(parts: UploadParts, maxBackupBytes: number, reservation: MemoryReservation): Chunks {
  let hasMore = true;
  return chunksOf(
    async () => {
      for (;;) {
        const chunk = parts.backup?.take() ?? null;
        if (chunk !== null) return chunk;
        if (!hasMore) break;
        hasMore = await parts.advance();
        reservation.arrived(parts.size, 0);
      }
      const { backup } = parts;
      if (backup === null) throw new ServiceError("missing_backup_field", "The part backup is missing");
      if (backup.size === 0) throw new ServiceError("empty_backup_file", "The part backup is empty");
      if (backup.size > maxBackupBytes) throw tooLarge(maxBackupBytes);
      return null;
    },
    async () => {},
  );
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

async function drain(content: Chunks): Promise<void> {
  while ((await content.next()).done !== true);
}
