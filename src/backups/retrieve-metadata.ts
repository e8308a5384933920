import { ServiceError } from "../errors.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { unauthorized, untraceable } from "./outcomes.ts";
import { exportMetadata } from "./view.ts";

export function retrieveMetadata({ access, changes }: BackupsContext): Backups["retrieveMetadata"] {
  return async (by, expectedId) => {
    const backupId = await access.locate(by);
    if (backupId === null) {
      if (expectedId === null) throw untraceable();
      throw (await access.read(expectedId)) === null
        ? new ServiceError("backup_does_not_exist", "There is no backup of that id")
        : unauthorized();
    }
    if (expectedId !== null && expectedId !== backupId)
      throw new ServiceError("backup_id_mismatch", "The factor is on another backup");
    const { metadata } = await changes.consumeDuring(by, () => access.open(backupId, by.factor));
    return exportMetadata(metadata);
  };
}
