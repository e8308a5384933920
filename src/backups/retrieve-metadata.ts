import { ServiceError } from "../errors.ts";
import type { Proven } from "./authorise.ts";
import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { noteLastUse } from "./last-use.ts";
import { doesNotExist, fail, unauthorized, untraceable } from "./outcomes.ts";
import { exportMetadata } from "./view.ts";

export function retrieveMetadata(context: BackupsContext): Backups["retrieveMetadata"] {
  const { access, changes } = context;
  return async (by, expectedId) => {
    const backupId = (await access.locate(by)) ?? (await locateAgain(by, expectedId ?? fail(untraceable())));
    if (expectedId !== null && expectedId !== backupId)
      throw new ServiceError("backup_id_mismatch", "The factor is on another backup");
    const backup = await changes.consumeDuring(by, () => access.open(backupId, by.factor));
    noteLastUse(context, backup, by.factor);
    return exportMetadata(backup.metadata, backup.versions);
  };

  /** For a factor that was on no backup. Another request may have put it on the one that the client expects by now. */
  async function locateAgain(by: Proven, expectedId: string): Promise<string> {
    if ((await access.read(expectedId)) === null) throw doesNotExist();
    return (await access.locate(by)) ?? fail(unauthorized());
  }
}
