import type { Backups } from "./backups.ts";
import type { BackupsContext } from "./create-backups.ts";
import { fail, notFound } from "./outcomes.ts";
import { summarizeFactor } from "./view.ts";

export function backupStatus({ access }: BackupsContext): Backups["backupStatus"] {
  return async (backupId) => {
    const { metadata } = (await access.read(backupId)) ?? fail(notFound());
    return metadata.factors.map(summarizeFactor);
  };
}
