/** The output of the doctor: a report for people, or one JSON document. Both are written while the examination runs. */

import type { Counts } from "../maintenance/doctor/examination.ts";
import { FINDINGS, type Finding } from "../maintenance/doctor/findings.ts";
import type { StoredFormat } from "../storage/inspection.ts";
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
  readonly format: StoredFormat;
  /** Of the program. */
  readonly version: string;
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
    end({ counts, ...summary }) {
      const ofUnknownApps = [...counts.ofUnknownApps].map(([app, backups]) => ({ app, backups }));
      write(`\n],"summary":${JSON.stringify({ ...summary, counts: { ...counts, ofUnknownApps } })}}\n`);
    },
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

function findingLine({ kind, backupId, factor, blobKey, detail, remedy, repaired }: Finding): string {
  const where = [
    ...(backupId === null ? [] : [`backup ${backupId}`]),
    ...(factor === null ? [] : [`${factor.scope} factor ${factor.kind} ${factor.keyHash}`]),
    ...(blobKey === null ? [] : [`blob ${blobKey}`]),
  ].join(", ");
  const inBrackets = detail === null ? "" : ` (${detail})`;
  const action = remedy === null ? "left to you" : repaired ? `done: ${remedy}` : `--repair would ${remedy}`;
  const lines = [`${kind}: ${FINDINGS[kind].problem}${inBrackets}`, where, action].filter(
    (line) => line !== "",
  );
  return `${repaired ? "repaired" : "FOUND   "}  ${lines.join("\n          ")}`;
}

function summaryLines(summary: Summary): string[] {
  const { healthy, left, repaired, verify, repair, counts } = summary;
  const deleted = counts.deletedBackups === 0 ? "" : `${counts.deletedBackups} deleted ones that are kept, `;
  const examined = `${counts.backups} backups, ${deleted}${counts.indexRows} index rows, ${counts.blobs} blobs`;
  return [
    `${healthy ? "Healthy" : `${left} findings are left`}: checked ${examined}.`,
    formatLine(summary),
    ...(verify
      ? [`Read ${counts.verifiedBlobs} blobs (${mebibytes(counts.verifiedBytes)}) and checked their hashes.`]
      : []),
    ...(repair ? [`Repaired ${repaired}.`] : []),
    ...(counts.expiredRows === 0
      ? []
      : [
          `${counts.expiredRows} rows past their expiry${repair ? " were collected" : ", which the service collects"}.`,
        ]),
    ...[...counts.ofUnknownApps].map(unknownAppLine),
    ...(counts.busyBackups === 0
      ? []
      : [`${counts.busyBackups} backups changed too often to be checked: run it again.`]),
  ];
}

/** The versions of what is stored, as an operator needs them before and after an update. */
function formatLine({ format, version, counts }: Summary): string {
  const versions = Object.entries(counts.metadataVersions);
  const metadata = versions
    .map(([schema, states]) => (versions.length === 1 ? schema : `${schema} (${states} of them)`))
    .join(" and ");
  const ofMetadata = versions.length === 0 ? "" : `, metadata schema ${metadata}`;
  return `Stored format: ${format.name} ${format.version}${ofMetadata}; this is version ${version}.`;
}

/** Deleted states that are kept count too. */
function unknownAppLine([app, backups]: readonly [app: string | null, backups: number]): string {
  const whose =
    app === null
      ? "from before there were apps, while APPS_FILE marks no app as the default"
      : `of the app ${app}, which is not served here (APPS_FILE)`;
  return `Backups ${whose}: ${backups}. They are kept.`;
}

/** How far an examination has come, and how fast. */
export function progressText(
  counts: Counts,
  {
    verify,
    since,
    elapsedMs,
  }: { readonly verify: boolean; readonly since: Counts; readonly elapsedMs: number },
): string {
  const perSecond = (amount: number) => (elapsedMs === 0 ? 0 : (amount * 1000) / elapsedMs);
  const examined = (of: Counts) => of.indexRows + of.backups + of.deletedBackups;
  const { indexRows, backups, deletedBackups, blobs, verifiedBlobs, verifiedBytes } = counts;
  return [
    `checked ${indexRows} index rows, ${backups} backups, ${deletedBackups} deleted ones`,
    `${Math.round(perSecond(examined(counts) - examined(since)))}/s`,
    ...(verify
      ? [
          `read ${verifiedBlobs} blobs, ${mebibytes(verifiedBytes)}`,
          `${mebibytes(perSecond(verifiedBytes - since.verifiedBytes))}/s`,
        ]
      : []),
    ...(blobs === 0 ? [] : [`listed ${blobs} blobs`]),
  ].join(", ");
}
