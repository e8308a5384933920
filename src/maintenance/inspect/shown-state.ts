/** What an operator sees of a state of a backup. It has no key, registration, stored credential or subject. */
import type { BackupMetadata, Factor, MainFactor, SyncFactor } from "../../backups/model.ts";
import type { BackupRecord, BlobRef, JsonObject, StoredEvent } from "../../storage/contract.ts";
import type { BlobInspection } from "../../storage/inspection.ts";
import { usable } from "../doctor/record-state.ts";

/** A ciphertext, and whether the store has it. */
export interface ShownBlob {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** `other size`: the store has something else under that name. Its content is not read. */
  readonly stored: "there" | "missing" | "other size";
}

/** All times are ISO 8601. */
export interface ShownFactor {
  readonly factorId: string;
  readonly kind: Factor["kind"]["kind"];
  /** Of a passkey, as its owner named it. */
  readonly label: string | null;
  readonly account: { readonly kind: "GOOGLE" | "APPLE"; readonly maskedEmail: string } | null;
  readonly createdAt: string;
  /** A day late at most. `null` where it was not used, and for main factors. */
  readonly lastUsedAt: string | null;
}

export interface ShownVersion {
  readonly versionId: string;
  readonly manifestHash: string;
  readonly createdAt: string;
  readonly replacedAt: string;
  readonly blob: ShownBlob;
}

export interface ShownMetadata {
  readonly manifestHash: string;
  /** `null` where an earlier version of the service stored the content. */
  readonly contentSince: string | null;
  readonly encryptionKeys: readonly string[];
  readonly mainFactors: readonly ShownFactor[];
  readonly syncFactors: readonly ShownFactor[];
}

export interface ShownState {
  /** `null` where the metadata cannot be used; `problem` says why. */
  readonly metadata: ShownMetadata | null;
  readonly problem: string | null;
  readonly blob: ShownBlob;
  readonly versions: readonly ShownVersion[];
}

/** What happened to a backup, as its owner sees it. */
export type ShownEvent = { readonly id: string; readonly at: string } & JsonObject;

export async function shownState(
  backupId: string,
  { metadata: stored, blob, versions }: BackupRecord,
  blobs: Pick<BlobInspection, "sizeOf">,
): Promise<ShownState> {
  const { metadata, reason } = usable(backupId, stored);
  const [current, ...earlier] = await Promise.all([
    shownBlob(blob, blobs),
    ...versions.map(async (version) => ({ version, blob: await shownBlob(version.blob, blobs) })),
  ]);
  return {
    metadata: metadata && shownMetadata(metadata),
    problem: reason?.detail ?? null,
    blob: current,
    versions: earlier.map(({ version, blob }) => ({
      versionId: version.versionId,
      manifestHash: version.manifestHash,
      createdAt: isoTime(version.createdAtMs),
      replacedAt: isoTime(version.replacedAtMs),
      blob,
    })),
  };
}

export function shownEvent({ id, atMs, body }: StoredEvent): ShownEvent {
  return { id, at: isoTime(atMs), ...body };
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export async function shownBlob(
  { key, size }: BlobRef,
  blobs: Pick<BlobInspection, "sizeOf">,
): Promise<ShownBlob> {
  const found = await blobs.sizeOf(key);
  return { key, size, stored: found === null ? "missing" : found === size ? "there" : "other size" };
}

function shownMetadata(metadata: BackupMetadata): ShownMetadata {
  const { manifestHash, contentAtMs, keys, factors, syncFactors } = metadata;
  return {
    manifestHash,
    contentSince: contentAtMs === undefined ? null : isoTime(contentAtMs),
    encryptionKeys: keys.map(({ kind }) => kind),
    mainFactors: factors.map((factor) => shownFactor(factor)),
    syncFactors: syncFactors.map((factor) => shownFactor(factor, factor.lastUsedAt)),
  };
}

function shownFactor({ id, createdAt, kind }: MainFactor | SyncFactor, lastUsedAt?: number): ShownFactor {
  return {
    factorId: id,
    kind: kind.kind,
    label: kind.kind === "PASSKEY" ? kind.label : null,
    account:
      kind.kind === "OIDC_ACCOUNT"
        ? { kind: kind.account.kind, maskedEmail: kind.account.maskedEmail }
        : null,
    createdAt: isoTime(createdAt * 1000),
    lastUsedAt: lastUsedAt === undefined ? null : isoTime(lastUsedAt * 1000),
  };
}
