import { BlobDamaged, type BlobRef, type StoredRecord } from "../../storage/contract.ts";
import type { Examination } from "./examination.ts";
import { type Finding, type FindingKind, finding } from "./findings.ts";

/** Checks the ciphertexts of a record, as {@link examineBlob}: the current one, and those of its versions. */
export async function examineBlobs(
  examination: Examination,
  backupId: string,
  { blob, versions }: Pick<StoredRecord, "blob" | "versions">,
): Promise<readonly Finding[]> {
  const findings = [...(await examineBlob(examination, backupId, blob, null))];
  for (const { versionId, blob: ofVersion } of versions)
    findings.push(...(await examineBlob(examination, backupId, ofVersion, `of the version ${versionId}`)));
  return findings;
}

/**
 * Checks that a ciphertext is stored with its size and, if the examination verifies, with its hash.
 *
 * @param ofWhat names what it is of, where that is not the current state of the backup.
 */
export async function examineBlob(
  { blobs, verify, counts }: Examination,
  backupId: string,
  ref: BlobRef,
  ofWhat: string | null,
): Promise<readonly Finding[]> {
  const found = (kind: FindingKind, what: string | null): readonly Finding[] => {
    const details = [ofWhat, what].filter((detail) => detail !== null);
    return [finding(kind, { backupId, blobKey: ref.key, detail: details.join(": ") || null })];
  };
  const size = await blobs.sizeOf(ref.key);
  if (size === null) return found("blob-missing", null);
  if (size !== ref.size) return found("blob-damaged", `${size} bytes, not ${ref.size}`);
  if (!verify) return [];
  try {
    const content = await blobs.get(ref);
    if (content === null) return found("blob-missing", null);
    for await (const _piece of content); // ends only if all of it was verified
    counts.verifiedBytes += ref.size;
    counts.verifiedBlobs += 1;
    return [];
  } catch (error) {
    if (!(error instanceof BlobDamaged)) throw error;
    return found("blob-damaged", error.message);
  }
}
