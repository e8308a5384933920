import { UNREFERENCED_AFTER_MS } from "../backup/sweep.ts";
import type { Examination } from "./examination.ts";
import { type Finding, finding } from "./findings.ts";
import type { KeyFilter } from "./key-filter.ts";

/** How many suspects are held at once. Each batch costs one more pass over the records. */
const BATCH = 100_000;

const TOO_MANY = "there are more of them than backups: the records may be those of another installation";
const INCOMPLETE =
  "other blobs are missing: records and blobs may be of different times, and this one be needed";

/**
 * Finds blobs that no record refers to, and deletes them if the examination repairs.
 *
 * `referenced` has every key that was current when the records were gone through; what it does not have may only have
 * become current since. So suspects are held against the records once more. A blob is referred to by the commit that
 * follows its writing or never, so one that was old when it was listed and is in no record read afterwards stays
 * unreferenced. But how old it is depends on two clocks, of the store and of this machine. So nothing is deleted that
 * has not been seen unreferenced again after a rest.
 *
 * None is deleted where records and blobs do not seem to belong together. They are what could still be rescued then.
 */
export async function* unreferencedBlobs(
  examination: Examination,
  { referenced, blobsAreComplete }: { readonly referenced: KeyFilter; readonly blobsAreComplete: boolean },
): AsyncGenerator<Finding> {
  const { blobs, repair, counts, rest } = examination;
  let total = 0;
  for await (const suspects of batches(suspectBlobs(examination, referenced))) {
    await keepUnreferenced(examination, suspects);
    if (repair && blobsAreComplete && suspects.size > 0) {
      await rest();
      await keepUnreferenced(examination, suspects);
    }
    total += suspects.size;
    const objection = total > counts.backups ? TOO_MANY : blobsAreComplete ? null : INCOMPLETE;
    for (const blobKey of suspects)
      if (objection !== null)
        yield { ...finding("blob-unreferenced", { blobKey, detail: objection }), remedy: null };
      else {
        if (repair) await blobs.delete(blobKey);
        yield { ...finding("blob-unreferenced", { blobKey }), repaired: repair };
      }
  }
}

async function* suspectBlobs(
  { blobs, clock, counts }: Examination,
  referenced: KeyFilter,
): AsyncGenerator<string> {
  const oldBeforeMs = clock.nowMs() - UNREFERENCED_AFTER_MS;
  for await (const { key, storedAtMs } of blobs.list()) {
    counts.blobs += 1;
    if (storedAtMs < oldBeforeMs && !referenced.mayHave(key)) yield key;
  }
}

async function* batches(keys: AsyncIterable<string>): AsyncGenerator<Set<string>> {
  let batch = new Set<string>();
  for await (const key of keys) {
    batch.add(key);
    if (batch.size < BATCH) continue;
    yield batch;
    batch = new Set();
  }
  if (batch.size > 0) yield batch;
}

async function keepUnreferenced({ records }: Examination, suspects: Set<string>): Promise<void> {
  for await (const { blob } of records.list()) suspects.delete(blob.key);
}
