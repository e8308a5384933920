/** The record of a backup, and whether its metadata can be used. */
import { type BackupMetadata, readMetadata } from "../../backups/model.ts";
import { NewerSchema } from "../../backups/schema-version.ts";
import { appOf } from "../../storage/app-scope.ts";
import type { JsonObject, RecordStore, StoredRecord } from "../../storage/contract.ts";
import { type Finding, finding } from "./findings.ts";

export type RecordState =
  | { readonly kind: "absent"; readonly revision: null; readonly record: null }
  /** Its metadata cannot be used. `record` is `null` where it is not even JSON. */
  | {
      readonly kind: "unusable";
      readonly revision: string | null;
      readonly record: StoredRecord | null;
      readonly reason: Finding;
    }
  | {
      readonly kind: "valid";
      readonly revision: string;
      readonly record: StoredRecord;
      readonly metadata: BackupMetadata;
    };

/**
 * Reads the record of a backup; strongly consistent.
 *
 * @throws StorageUnavailable when the store does not respond.
 */
export async function readState(records: RecordStore, backupId: string): Promise<RecordState> {
  let record: StoredRecord | null;
  try {
    record = await records.read(backupId);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // only the text of the metadata is parsed
    return unusable(null, finding("metadata-unreadable", { backupId, detail: "it is not JSON" }));
  }
  if (record === null) return { kind: "absent", revision: null, record: null };
  const { metadata, reason } = usable(backupId, record.metadata);
  if (metadata === null) return unusable(record, reason);
  return { kind: "valid", revision: record.revision, record, metadata };
}

/** Metadata as it is stored, or why it cannot be used. @param backupId as it is stored, or as its app calls it. */
export function usable(
  backupId: string,
  stored: JsonObject,
):
  | { readonly metadata: BackupMetadata; readonly reason: null }
  | { readonly metadata: null; readonly reason: Finding } {
  try {
    const metadata = readMetadata(stored);
    if (metadata.id === appOf(backupId).id) return { metadata, reason: null };
    const detail = `its id is ${metadata.id}`;
    return { metadata: null, reason: finding("metadata-of-another-backup", { backupId, detail }) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const kind = error instanceof NewerSchema ? "metadata-of-newer-version" : "metadata-unreadable";
    return { metadata: null, reason: finding(kind, { backupId, detail }) };
  }
}

function unusable(record: StoredRecord | null, reason: Finding): RecordState {
  return { kind: "unusable", revision: record?.revision ?? null, record, reason };
}
