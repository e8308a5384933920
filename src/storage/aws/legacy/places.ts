import type { LegacyPlace } from "../../legacy.ts";

/** An object as a list of the bucket has it. */
export interface PlacedObject {
  readonly key: string;
  readonly bytes: number;
  readonly modifiedAtMs: number | null;
}

const KEY = /^([^/]+)\/(?:(metadata)|backup|backups\/[^/]+)$/;

/**
 * Puts the objects of each backup together. Lists of S3 are sorted, so the objects of one id follow each other; objects of
 * other forms are not of backups.
 */
export async function* placesOf(objects: AsyncIterable<PlacedObject>): AsyncGenerator<LegacyPlace> {
  let place = emptyPlace("");
  for await (const { key, bytes, modifiedAtMs } of objects) {
    const [, backupId, metadata] = KEY.exec(key) ?? [];
    if (backupId === undefined) continue;
    if (backupId !== place.backupId) {
      if (place.backupId !== "") yield place;
      place = emptyPlace(backupId);
    }
    place =
      metadata === undefined
        ? { ...place, ciphertextBytes: (place.ciphertextBytes ?? 0) + bytes }
        : { ...place, hasMetadata: true, modifiedAtMs };
  }
  if (place.backupId !== "") yield place;
}

function emptyPlace(backupId: string): LegacyPlace {
  return { backupId, hasMetadata: false, modifiedAtMs: null, ciphertextBytes: null };
}
