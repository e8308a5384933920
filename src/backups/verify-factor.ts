import type { Backups, BackupsContext } from "./backups.ts";

export function verifyFactor({ access, changes }: BackupsContext): Backups["verifyFactor"] {
  return async (by) => {
    if (by.passkey !== undefined) {
      const { backupId } = await access.authorise(by);
      return changes.consumeBeside(by, async () => backupId);
    }
    const backupId = await access.find(by);
    await changes.consumeBeside(by, () => access.open(backupId, by.factor));
    return backupId;
  };
}
