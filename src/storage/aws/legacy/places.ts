import type { LegacyPlace } from "../../legacy.ts";
import type { ListedObject } from "../object-list.ts";

const KEY = /^([^/]+)\/(?:(metadata)|backup|backups\/[^/]+)$/;

/**
 * Puts the objects of each backup together. Lists of S3 are sorted, so the objects of one id follow each other; objects of
 * other forms are not of backups.
 */
export async function* placesOf(objects: AsyncIterable<ListedObject>): AsyncGenerator<LegacyPlace> {
  let place = emptyPlace("");
  for await (const { key, size, storedAtMs } of objects) {
    const [, backupId, metadata] = KEY.exec(key) ?? [];
    if (backupId === undefined) continue;
    if (backupId !== place.backupId) {
      if (place.backupId !== "") yield place;
      place = emptyPlace(backupId);
    }
    place =
      metadata === undefined
        ? { ...place, ciphertextBytes: (place.ciphertextBytes ?? 0) + size }
        : { ...place, hasMetadata: true, modifiedAtMs: storedAtMs };
  }
  if (place.backupId !== "") yield place;
}

function emptyPlace(backupId: string): LegacyPlace {
  return { backupId, hasMetadata: false, modifiedAtMs: null, ciphertextBytes: null };
}
