import { BlobDamaged, type BlobRef } from "../../storage/contract.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding } from "./findings.ts";

/** Checks that the ciphertext that a record refers to is there with its size; in a drill also with its hash. */
export async function examineBlob(
  { blobs, drill, counts }: Examination,
  backupId: string,
  ref: BlobRef,
): Promise<Finding[]> {
  const about = { backupId, blobKey: ref.key };
  const size = await blobs.sizeOf(ref.key);
  if (size === null) return [finding("blob-missing", about)];
  if (size !== ref.size)
    return [finding("blob-damaged", { ...about, detail: `${size} bytes, not ${ref.size}` })];
  if (!drill) return [];
  try {
    const content = await blobs.get(ref);
    if (content === null) return [finding("blob-missing", about)];
    for await (const piece of content) counts.drilledBytes += piece.length;
    counts.drilledBlobs += 1;
    return [];
  } catch (error) {
    if (!(error instanceof BlobDamaged)) throw error;
    return [finding("blob-damaged", { ...about, detail: error.message })];
  }
}
