import type { LegacySource } from "../../storage/legacy.ts";

/** How much there is in a source, and how long it takes at least to read it. */
export interface Survey {
  readonly backups: number;
  /** Of the ciphertexts, those included that were left behind. */
  readonly bytes: number;
  /** Seconds. */
  readonly atLeastS: number;
}

/** For each backup: its metadata, before and after its ciphertext; the ciphertext; the rows of its factors. */
const CALLS_A_BACKUP = 4;

/**
 * Counts what the source lists.
 *
 * @param callsPerSecond as the source is opened with.
 * @param since as `ImportRun.since`: what was written before counts as not read.
 */
export async function survey(
  source: Pick<LegacySource, "list">,
  callsPerSecond: number,
  since: number | null,
): Promise<Survey> {
  let backups = 0;
  let toRead = 0;
  let bytes = 0;
  for await (const { ciphertextBytes, modifiedAtMs } of source.list()) {
    backups += 1;
    bytes += ciphertextBytes ?? 0;
    if (since === null || modifiedAtMs === null || modifiedAtMs >= since) toRead += 1;
  }
  return { backups, bytes, atLeastS: Math.ceil((toRead * CALLS_A_BACKUP) / callsPerSecond) };
}
