/** What every answer must be, whatever was asked, and what must not have changed. */
import type { ProcessServices } from "../../src/services.ts";
import { isObject } from "./described-routes.ts";

/** Far longer than a refusal takes, and shorter than the service's own limit. */
export const DEADLINE_MS = 25_000;

/** What is wrong with a response of the service; `null` if nothing is. */
export function problemWith(status: number, contentType: string | null, body: string): string | null {
  if (status >= 500) return `status ${status}: ${body.slice(0, 200)}`;
  if (status < 400) return null;
  if (contentType !== "application/json") return `status ${status} with content-type ${contentType}`;
  return isErrorEnvelope(body) ? null : `status ${status} without the error envelope: ${body.slice(0, 200)}`;
}

function isErrorEnvelope(text: string): boolean {
  const body: unknown = parsed(text);
  if (!isObject(body) || typeof body.allowRetry !== "boolean") return false;
  const { error } = body;
  return isObject(error) && /^[a-z0-9_]+$/.test(String(error.code)) && typeof error.message === "string";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // no error body
  }
}

/** Everything that is stored but one-time values, as one text. */
export async function snapshotOf({ stores, background }: ProcessServices): Promise<string> {
  await background.settled();
  const { records, blobs } = stores;
  const backups = await Array.fromAsync(records.list());
  const revisions = await Promise.all(
    backups.map(async ({ backupId, blobs: refs }) => [
      backupId,
      refs.map(({ key }) => key),
      (await records.read(backupId))?.revision,
    ]),
  );
  const deleted = await Array.fromAsync(records.listDeleted());
  const rows = await Array.fromAsync(records.listFactors());
  const stored = (await Array.fromAsync(blobs.list())).map(({ key, size }) => [key, size]);
  return JSON.stringify(
    [revisions, deleted, rows, stored].map((entries) => entries.map((entry) => JSON.stringify(entry)).sort()),
  );
}
