import { withContent } from "../../backups/history.ts";
import { storedMetadata } from "../../backups/model.ts";
import { eventsOf, type OperatorsChange, Refused, refusal, usableMetadata } from "./operators-change.ts";
import { shownBlob } from "./shown-state.ts";

/** How often a change is attempted while the service changes the same backup. */
const MAX_ATTEMPTS = 5;
const KEEP_ALL = { keepLast: Number.POSITIVE_INFINITY, keepDays: 0 };

/**
 * Makes a version current again, as the operation `restoreVersion` does. No version is removed, because the next update
 * decides which are kept; the policy of this process may not be that of the service.
 *
 * @throws Refused; StorageUnavailable.
 */
export async function restoreVersionForOwner(operators: OperatorsChange, versionId: string): Promise<void> {
  const { clock, random, backupId, dryRun } = operators;
  const { records, blobs } = operators.stores;
  let contentKey: string | undefined;
  for (let attempt = 1; ; attempt++) {
    const record = await records.read(backupId);
    if (record === null) throw new Refused("there is no backup of this id now");
    contentKey ??= record.blob.key;
    if (contentKey !== record.blob.key) throw refusal("revision");
    const read = usableMetadata(operators, record);
    const version = record.versions.find((each) => each.versionId === versionId);
    if (version === undefined) throw new Refused("the backup has no such version");
    const { blob, manifestHash, createdAtMs: storedAtMs } = version;
    if ((await shownBlob(blob, blobs)).stored !== "there") {
      const { revision } = (await records.read(backupId)) ?? {};
      if (revision !== record.revision && attempt < MAX_ATTEMPTS) continue;
      throw new Refused("the ciphertext of this version is missing or damaged");
    }
    if (dryRun) return;
    const { logId = random.uuid() } = read;
    const next = { ...read, logId, manifestHash, contentAtMs: storedAtMs };
    const replaced = { versionId: random.uuid(), nowMs: clock.nowMs() };
    const outcome = await records.commit({
      backupId,
      expect: record,
      next: {
        metadata: storedMetadata(next),
        ...withContent({ ...record, backupId, metadata: read }, { blob, storedAtMs }, KEEP_ALL, replaced),
      },
      events: eventsOf(operators, logId, "VERSION_RESTORED"),
    });
    if (outcome === "committed") return;
    if (outcome !== "revision" || attempt === MAX_ATTEMPTS) throw refusal(outcome);
  }
}
