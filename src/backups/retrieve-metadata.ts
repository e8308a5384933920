import { ServiceError } from "../errors.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { noteLastUse } from "./last-use.ts";
import { unauthorized, untraceable } from "./outcomes.ts";
import { exportMetadata } from "./view.ts";

export function retrieveMetadata(context: BackupsContext): Backups["retrieveMetadata"] {
  const { access, changes } = context;
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
    const backup = await changes.consumeDuring(by, () => access.open(backupId, by.factor));
    noteLastUse(context, backup, by.factor);
    return exportMetadata(backup.metadata, backup.versions);
  };
}
