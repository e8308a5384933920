import { describe, expect, test } from "bun:test";
import { finalDeletion, keptDeletion, leftoversOf } from "../../src/backups/deletion.ts";
import { type BackupMetadata, storedMetadata } from "../../src/backups/model.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { SettableClock } from "../support/settable-clock.ts";

const NOW_MS = Date.UTC(2026, 0, 15);
const QUARTER_OF_AN_HOUR_MS = 900_000;

const blobOf = (key: string) => ({ key, size: 1, sha256: "00" });
const versionOf = (key: string) => {
  return { versionId: key, manifestHash: "00", createdAtMs: 1, replacedAtMs: 2, blob: blobOf(key) };
};
const metadata: BackupMetadata = {
  id: "b",
  manifestHash: "00",
  keys: [],
  factors: [{ id: "1", createdAt: 0, kind: { kind: "EC_KEYPAIR", publicKey: "main" } }],
  syncFactors: [{ id: "2", createdAt: 0, kind: { kind: "EC_KEYPAIR", publicKey: "sync" } }],
  logId: "log",
};
const backup = {
  ...{ backupId: "b", revision: "r", changedAtMs: null, metadata },
  ...{ blob: blobOf("current"), versions: [versionOf("earlier")] },
};
const KEPT = { deletionId: "d", deletedAtMs: 1, keepUntilMs: 2, deletedBy: null, logId: null };
const release = [
  { scope: "MAIN", key: "EC_KEYPAIR|main" },
  { scope: "SYNC", key: "EC_KEYPAIR|sync" },
] as const;

/** A deletion by the sync factor, with deleted states kept for so long. */
function deletion(deletedKeepMs: number, of = backup) {
  const clock = new SettableClock(NOW_MS);
  return keptDeletion({ clock, random: systemRandom, history: { deletedKeepMs } }, of, "2");
}

describe("a deletion", () => {
  test("sets the state aside for as long as states are kept, and collects nothing", () => {
    const { setAside, ...rest } = deletion(5);
    expect(rest).toEqual({ next: null, release: [...release] });
    expect(setAside).toMatchObject({
      ...{ deletedAtMs: NOW_MS, keepUntilMs: NOW_MS + 5, deletedBy: "2", logId: "log" },
      ...{ blob: backup.blob, versions: backup.versions, metadata },
    });
    expect(setAside?.deletionId).not.toBe(deletion(5).setAside?.deletionId);
  });

  test("of a backup of an earlier release, which has no log", () => {
    const { logId: _, ...earlier } = metadata;
    expect(deletion(5, { ...backup, metadata: earlier }).setAside?.logId).toBeNull();
  });

  test("is final where deleted states are not kept", () => {
    expect(deletion(0)).toEqual(finalDeletion([backup], NOW_MS));
  });
});

describe("a final deletion", () => {
  test("releases the factors of the backup, and collects its contents and its log once requests have ended", () => {
    const blobs = [blobOf("current"), blobOf("earlier")];
    const notBeforeMs = NOW_MS + QUARTER_OF_AN_HOUR_MS;
    expect(finalDeletion([backup], NOW_MS)).toEqual({
      ...{ next: null, release: [...release] },
      collect: { blobs, logIds: ["log"], notBeforeMs },
    });
  });

  test("collects those of other states too, of which some have no log", () => {
    const { logId: _, ...earlier } = metadata;
    const other = { ...backup, blob: blobOf("other"), versions: [], metadata: earlier };
    const { blobs, logIds } = leftoversOf([backup, other], NOW_MS);
    expect(
      finalDeletion([backup, { ...other, ...KEPT, metadata: storedMetadata(earlier) }], NOW_MS).collect
        ?.blobs,
    ).toEqual(blobs);
    expect(blobs.map(({ key }) => key)).toEqual(["current", "earlier", "other"]);
    expect(logIds).toEqual(["log"]);
  });
});
