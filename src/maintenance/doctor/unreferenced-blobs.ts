import type { Origin, Suspect, UnreferencedBlobs } from "../unreferenced-blobs.ts";
import type { Examination } from "./examination.ts";
import { FINDINGS, type Finding, type FindingKind, finding } from "./findings.ts";

/** How many suspects are in memory at a time. Each batch costs one more pass over the records. */
const BATCH = 100_000;

const KINDS = {
  abandoned: "blob-unreferenced",
  "of-unknown-backup": "blob-of-unknown-backup",
  "newer-than-records": "blob-newer-than-records",
} as const satisfies Record<Origin, FindingKind>;

const TOO_MANY = "there are more of them than backups: the records may be those of another installation";
const INCOMPLETE =
  "other blobs are missing: records and blobs may be of different times, and this blob may be needed";
const NEWER = "a newer version of the service has stored records, and this blob may belong to one of them";

/**
 * Finds blobs that no record refers to, and deletes them if the examination repairs: those of operations that did not
 * end, and those of other origins that the operator names.
 *
 * How old a blob is depends on two clocks, of the store and of this machine. So a blob is deleted only if it is still
 * unreferenced after a pause.
 *
 * None is deleted where records and blobs do not seem to belong together, or records are of a newer version of the
 * service: the blobs are what could still be rescued then.
 */
export async function* unreferencedBlobs(
  examination: Examination,
  {
    scan,
    foundInRecords,
  }: { readonly scan: UnreferencedBlobs; readonly foundInRecords: ReadonlySet<FindingKind> },
): AsyncGenerator<Finding> {
  const { blobs, repair, remove, counts, pause } = examination;
  const countBlob = () => {
    counts.blobs += 1;
  };
  const doubt = doubtAbout(foundInRecords);
  let abandoned = 0;
  for await (const suspects of batches(scan.suspects(countBlob))) {
    const originOf = await scan.originsOf(suspects);
    if (repair && doubt === null && suspects.size > 0) {
      await pause();
      await scan.keepUnreferenced(suspects);
    }
    for (const suspect of suspects.values()) if (originOf(suspect) === "abandoned") abandoned += 1;
    for (const suspect of suspects.values()) {
      const kind = KINDS[originOf(suspect)];
      const isNamed = kind !== "blob-unreferenced" && remove.has(kind);
      const { remedy } = FINDINGS[isNamed ? "blob-unreferenced" : kind];
      const areTooMany = kind === "blob-unreferenced" && abandoned > counts.backups + counts.deletedBackups;
      const objection = remedy === null ? null : areTooMany ? TOO_MANY : doubt;
      const about = { backupId: suspect.backupId, blobKey: suspect.key, detail: objection };
      const repaired = repair && remedy !== null && objection === null;
      if (repaired) await blobs.delete(suspect.key);
      yield { ...finding(kind, about), remedy: objection === null ? remedy : null, repaired };
    }
  }
}

/** Why no blob is deleted, if so. */
function doubtAbout(foundInRecords: ReadonlySet<FindingKind>): string | null {
  if (foundInRecords.has("blob-missing")) return INCOMPLETE;
  return foundInRecords.has("metadata-of-newer-version") ? NEWER : null;
}

async function* batches(suspects: AsyncIterable<Suspect>): AsyncGenerator<Map<string, Suspect>> {
  let batch = new Map<string, Suspect>();
  for await (const suspect of suspects) {
    batch.set(suspect.key, suspect);
    if (batch.size < BATCH) continue;
    yield batch;
    batch = new Map();
  }
  if (batch.size > 0) yield batch;
}
