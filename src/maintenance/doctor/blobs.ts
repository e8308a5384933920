import { BlobDamaged, type BlobRef } from "../../storage/contract.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding } from "./findings.ts";

/** Checks that the ciphertext that a record refers to is there with its size, and, if the examination verifies, with its hash. */
export async function examineBlob(
  { blobs, verify, counts }: Examination,
  backupId: string,
  ref: BlobRef,
): Promise<Finding[]> {
  const about = { backupId, blobKey: ref.key };
  const size = await blobs.sizeOf(ref.key);
  if (size === null) return [finding("blob-missing", about)];
  if (size !== ref.size)
    return [finding("blob-damaged", { ...about, detail: `${size} bytes, not ${ref.size}` })];
  if (!verify) return [];
  try {
    const content = await blobs.get(ref);
    if (content === null) return [finding("blob-missing", about)];
    for await (const _piece of content); // ends only if all of it was verified
    counts.verifiedBytes += ref.size;
    counts.verifiedBlobs += 1;
    return [];
  } catch (error) {
    if (!(error instanceof BlobDamaged)) throw error;
    return [finding("blob-damaged", { ...about, detail: error.message })];
  }
}
