/** The output of import and export: a report for people, or one JSON document. Both are written while it runs. */
import type { ImportFinding } from "../maintenance/import/run.ts";
import { explain } from "./explain.ts";
import { showProgress } from "./progress.ts";

/** Reports findings as they come, and meanwhile how far the run has come. */
export type Follow = (findings: AsyncIterable<ImportFinding>, progress: () => string) => Promise<void>;

export interface ReportOptions<Counts> {
  readonly json: boolean;
  /** What was done, in a sentence. */
  readonly summary: (counts: Counts) => string;
}

type Write = (text: string) => void;

interface Report<Counts> {
  begin(): void;
  found(finding: ImportFinding): void;
  end(counts: Counts, findings: number): void;
  /** Ends the report of a run that could not be finished. */
  failed(reason: string): void;
}

/** Runs `move` and reports what it finds. Returns 0 without findings, 1 with some, 2 when it could not be finished. */
export async function reported<Counts extends object>(
  options: ReportOptions<Counts>,
  move: (follow: Follow) => Promise<Counts>,
): Promise<number> {
  const write = (text: string) => void process.stdout.write(text);
  const report = options.json ? jsonReport<Counts>(write) : textReport(write, note, options.summary);
  let found = 0;
  report.begin();
  try {
    const counts = await move(async (findings, progress) => {
      using _line = showProgress(progress);
      for await (const finding of findings) {
        found += 1;
        report.found(finding);
      }
    });
    report.end(counts, found);
    return found === 0 ? 0 : 1;
  } catch (error) {
    report.failed(explain(error));
    return 2;
  }
}

/** Writes to the operator what is not part of the report. */
export function note(text: string): void {
  process.stderr.write(text);
}

/** A duration as people say it. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** `{"findings": […], …counts}`; with `"error"` in the place of the counts when it could not be finished. */
function jsonReport<Counts extends object>(write: Write): Report<Counts> {
  let separator = "\n";
  return {
    begin: () => write('{"findings":['),
    found(finding) {
      write(`${separator}${JSON.stringify(finding)}`);
      separator = ",\n";
    },
    end: (counts) => write(`\n],${JSON.stringify(counts).slice(1)}\n`),
    failed: (reason) => write(`\n],"error":${JSON.stringify(reason)}}\n`),
  };
}

function textReport<Counts>(
  write: Write,
  complain: Write,
  summary: (counts: Counts) => string,
): Report<Counts> {
  return {
    begin() {},
    found: ({ backupId, problem }) => write(`FOUND  backup ${printable(backupId)}: ${problem}\n`),
    end: (counts, found) => write(`${summary(counts)} ${found === 0 ? "No" : found} findings.\n`),
    failed: (reason) => complain(`The run could not be finished, and may be started again: ${reason}\n`),
  };
}

/** A name in the bucket may be any text, and should not control the terminal. */
function printable(name: string): string {
  return /^[!-~]+$/.test(name) ? name : JSON.stringify(name);
}
