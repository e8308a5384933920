import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";

export function verifyFactor({ access, changes }: BackupsContext): Backups["verifyFactor"] {
  return async (by) => {
    if (by.passkey !== undefined) {
      const { backupId } = await access.authorise(by);
      return changes.consumeDuring(by, async () => backupId);
    }
    const backupId = await access.find(by);
    await changes.consumeDuring(by, () => access.open(backupId, by.factor));
    return backupId;
  };
}
