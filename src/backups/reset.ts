import { blobsOf } from "../storage/contract.ts";
import type { Backups, BackupsContext } from "./backups.ts";
import { deletion } from "./change.ts";
import { fail, notFound } from "./outcomes.ts";

export function reset({ access, changes }: BackupsContext): Backups["reset"] {
  return async (backupId, nonces) => {
    const load = async () => (await access.read(backupId)) ?? fail(notFound());
    const { before } = await changes.change(nonces, await load(), load, deletion);
    await changes.discard(...blobsOf(before));
  };
}
