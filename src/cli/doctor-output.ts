/** The output of the doctor: a report for people, or one JSON document. Both are written while the examination runs. */
import type { Counts } from "../maintenance/doctor/examination.ts";
import type { Finding, FindingKind } from "../maintenance/doctor/findings.ts";
import { mebibytes } from "./progress.ts";

export interface Report {
  begin(): void;
  found(finding: Finding): void;
  end(summary: Summary): void;
  /** Ends the report of an examination that could not be finished. */
  failed(reason: string): void;
}

/** `left` findings remain, `repaired` ones do not. `healthy`: none is left. */
export interface Summary {
  readonly healthy: boolean;
  readonly left: number;
  readonly repaired: number;
  readonly verify: boolean;
  readonly repair: boolean;
  readonly counts: Readonly<Counts>;
}

type Write = (text: string) => void;

/** `{"findings": […], "summary": {…}}`; with `"error"` in the place of the summary when it could not be finished. */
export function jsonReport(write: Write): Report {
  let separator = "\n";
  return {
    begin: () => write('{"findings":['),
    found(finding) {
      write(`${separator}${JSON.stringify(finding)}`);
      separator = ",\n";
    },
    end: (summary) => write(`\n],"summary":${JSON.stringify(summary)}}\n`),
    failed: (reason) => write(`\n],"error":${JSON.stringify(reason)}}\n`),
  };
}

/** @param complain writes why an examination could not be finished. */
export function textReport(write: Write, complain: Write): Report {
  return {
    begin() {},
    found: (finding) => write(`${findingLine(finding)}\n`),
    end: (summary) => write(`${summaryLines(summary).join("\n")}\n`),
    failed: (reason) => complain(`The examination could not be finished: ${reason}\n`),
  };
}

const SENTENCES: Readonly<Record<FindingKind, string>> = {
  "row-without-backup": "an index row leads to a backup that is not stored",
  "row-without-factor": "an index row leads to a backup that does not list the factor",
  "factor-without-row": "a listed factor is not in the index",
  "row-of-another-backup": "a listed factor leads to another backup",
  "factor-twice": "a factor is listed twice",
  "metadata-unreadable": "the metadata cannot be read",
  "metadata-of-newer-version": "the metadata is of a newer version of the service",
  "metadata-of-another-backup": "the metadata is that of another backup",
  "blob-missing": "the ciphertext is missing",
  "blob-damaged": "the ciphertext is damaged",
  "blob-unreferenced": "no record refers to this ciphertext",
  "blob-of-unknown-backup": "a ciphertext of a backup that has no record; it may be another installation's",
  "blob-newer-than-records": "no record refers to this ciphertext, and records of its time may be missing",
};

function findingLine({ kind, backupId, factor, blobKey, detail, remedy, repaired }: Finding): string {
  const where = [
    ...(backupId === null ? [] : [`backup ${backupId}`]),
    ...(factor === null ? [] : [`${factor.scope} factor ${factor.kind} ${factor.keyHash}`]),
    ...(blobKey === null ? [] : [`blob ${blobKey}`]),
  ].join(", ");
  const inBrackets = detail === null ? "" : ` (${detail})`;
  const action = remedy === null ? "left to you" : repaired ? `done: ${remedy}` : `--repair would ${remedy}`;
  return `${repaired ? "repaired" : "FOUND   "}  ${kind}: ${SENTENCES[kind]}${inBrackets}\n          ${where}\n          ${action}`;
}

function summaryLines({ healthy, left, repaired, verify, repair, counts }: Summary): string[] {
  const examined = `${counts.backups} backups, ${counts.indexRows} index rows, ${counts.blobs} blobs`;
  return [
    `${healthy ? "Healthy" : `${left} findings are left`}: checked ${examined}.`,
    ...(verify
      ? [`Read ${counts.verifiedBlobs} blobs (${mebibytes(counts.verifiedBytes)}) and checked their hashes.`]
      : []),
    ...(repair ? [`Repaired ${repaired}.`] : []),
    ...(counts.expiredRows === 0
      ? []
      : [
          `${counts.expiredRows} rows past their expiry${repair ? " were collected" : ", which the service collects"}.`,
        ]),
    ...(counts.busyBackups === 0
      ? []
      : [`${counts.busyBackups} backups changed too often to be checked: run it again.`]),
  ];
}

/** How far the reading of blobs has come. */
export function progressLine({ verifiedBlobs, verifiedBytes }: Counts, elapsedMs: number): string {
  const perSecond = elapsedMs === 0 ? 0 : (verifiedBytes * 1000) / elapsedMs;
  return `read ${verifiedBlobs} blobs, ${mebibytes(verifiedBytes)}, ${mebibytes(perSecond)}/s`;
}
