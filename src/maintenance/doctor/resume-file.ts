/**
 * The file in which the doctor notes how far it is: a line of JSON for the run, then one for each finding and for each place
 * that was reached. Lines are only added, so a process that is killed leaves at most a torn one at the end.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Scope } from "../../protocol/factor.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Checkpoint, Interrupted } from "./checkpoint.ts";
import type { Counts } from "./examination.ts";
import { FINDINGS, type Finding, type FindingKind, REMOVABLE } from "./findings.ts";

/** Later, too much may have changed for the rest to be worth much. */
const MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000;
const NOTED_EVERY_MS = 1_000;

const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()]);
const FORMAT = 1;

const Run = Type.Object({
  /** Of the program: another one may check more. */
  version: Type.String(),
  installation: orNull(Type.String()),
  /** When the records were last restored from a copy. */
  restoredAtMs: orNull(Type.Number()),
  verify: Type.Boolean(),
  repair: Type.Boolean(),
  remove: Type.Array(Type.Union(REMOVABLE.map((kind) => Type.Literal(kind)))),
});
const Header = Type.Object({ doctor: Type.Literal(FORMAT), startedAtMs: Type.Number(), of: Run });
const Numbers = Type.Record(Type.String(), Type.Number());
const Reached = Type.Object({
  place: Type.Union([
    Type.Object({
      part: Type.Literal("index"),
      after: orNull(
        Type.Object({ scope: Scope, key: Type.String(), stored: Type.Optional(Type.Literal(true)) }),
      ),
    }),
    Type.Object({ part: Type.Literal("records"), after: orNull(Type.String()) }),
  ]),
  areRowsMissing: Type.Boolean(),
  counts: Type.Object({
    metadataVersions: Numbers,
    ofUnknownApps: Type.Array(Type.Tuple([orNull(Type.String()), Type.Number()])),
    others: Numbers,
  }),
});
const Found = Type.Object({
  kind: Type.String(),
  backupId: orNull(Type.String()),
  factor: orNull(Type.Object({ scope: Scope, kind: Type.String(), keyHash: Type.String() })),
  blobKey: orNull(Type.String()),
  detail: orNull(Type.String()),
  remedy: orNull(Type.String()),
  repaired: Type.Boolean(),
});

export interface ResumeFile extends Disposable {
  /** Where an earlier run was; `null` where there was none. */
  readonly interrupted: Interrupted | null;
  /** What it had found by then. */
  readonly findings: readonly Finding[];
  /** Whether the finding is one of those: a backup that changed shortly before or since is examined again. */
  isKnown(finding: Finding): boolean;
  found(finding: Finding): void;
  reached(checkpoint: Omit<Checkpoint, "startedAtMs">): void;
  /** The run has ended. */
  remove(): void;
}

export interface ResumeOptions {
  readonly of: Static<typeof Run>;
  /** Those of an earlier run are added to it. */
  readonly counts: Counts;
  readonly clock: Clock;
}

/** @throws Error when there is a file that is of no such run. */
export function openResumeFile(path: string, { of, counts, clock }: ResumeOptions): ResumeFile {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) throw notOurs(path); // a pipe would be waited for
  const left = found ? leftRun(path, of, clock.nowMs()) : null;
  const file = openSync(path, left === null ? "wx" : "r+", 0o600);
  let end = left?.length ?? 0;
  ftruncateSync(file, end);
  const add = (line: object) => {
    if (fstatSync(file).size !== end) throw new Error(`${path} is in use by another doctor`);
    let rest = Buffer.from(`${JSON.stringify(line)}\n`);
    while (rest.length > 0) {
      const written = writeSync(file, rest, 0, rest.length, end); // less than all of it on a disk that gets full
      end += written;
      rest = rest.subarray(written);
    }
  };
  const startedAtMs = left?.startedAtMs ?? clock.nowMs();
  if (left === null) add({ doctor: FORMAT, startedAtMs, of });
  for (const finding of left?.repairedSince ?? []) add(finding);
  const last = left?.last ?? null;
  if (last !== null) {
    Object.assign(counts.metadataVersions, last.counts.metadataVersions);
    for (const [app, backups] of last.counts.ofUnknownApps) counts.ofUnknownApps.set(app, backups);
    Object.assign(counts, last.counts.others);
  }
  const findings = [...(left?.findings ?? []), ...(left?.repairedSince ?? [])];
  const known = new Set(findings.map((finding) => JSON.stringify(finding)));
  let notedAtMs = Number.NEGATIVE_INFINITY;
  return {
    interrupted:
      last === null ? null : { ...last, startedAtMs, found: new Set(findings.map(({ kind }) => kind)) },
    findings,
    isKnown: (finding) => known.has(JSON.stringify(finding)),
    found: add,
    reached({ place, areRowsMissing }) {
      if (clock.elapsedMs() - notedAtMs < NOTED_EVERY_MS) return;
      notedAtMs = clock.elapsedMs();
      const { metadataVersions, ofUnknownApps, ...others } = counts;
      const noted = { metadataVersions, ofUnknownApps: [...ofUnknownApps], others };
      add({ place, areRowsMissing, counts: noted });
    },
    remove: () => rmSync(path, { force: true }),
    [Symbol.dispose]: () => closeSync(file),
  };
}

interface LeftRun {
  readonly startedAtMs: number;
  /** How many bytes of the file count: what comes after the last place is found again. */
  readonly length: number;
  readonly last: Static<typeof Reached> | null;
  readonly findings: readonly Finding[];
  /** What was repaired after the last place: nothing is left of it that could be found again. */
  readonly repairedSince: readonly Finding[];
}

function leftRun(path: string, of: ResumeOptions["of"], nowMs: number): LeftRun {
  const [first = "", ...lines] = readFileSync(path, "utf8").split("\n");
  const header = parsed(first);
  const remedy = `delete ${path} to begin with a whole run`;
  if (lines.length === 0 || !Value.Check(Header, header)) throw notOurs(path);
  if (!isSameRun(header.of, of))
    throw new Error(
      `${path} is of a run with other options, of another version, on another storage or before a restore: ${remedy}`,
    );
  if (header.startedAtMs > nowMs)
    throw new Error(`${path} is of a run that began later than now, by the clock of this machine: ${remedy}`);
  if (nowMs - header.startedAtMs > MAX_AGE_MS)
    throw new Error(`${path} is of a run that began more than 7 days ago: ${remedy}`);
  let length = Buffer.byteLength(first) + 1;
  let read = length;
  let last: LeftRun["last"] = null;
  const findings: Finding[] = [];
  const since: Finding[] = [];
  for (const text of lines.slice(0, -1)) {
    read += Buffer.byteLength(text) + 1;
    const line = parsed(text);
    if (isFinding(line)) since.push(line);
    else if (Value.Check(Reached, line)) {
      last = line;
      length = read;
      findings.push(...since.splice(0));
    } else throw new Error(`${path} is damaged: ${remedy}`);
  }
  const repairedSince = since.filter(({ repaired }) => repaired);
  return { startedAtMs: header.startedAtMs, length, last, findings, repairedSince };
}

function notOurs(path: string): Error {
  return new Error(`${path} is not a file of this doctor: name another one`);
}

/** Stores that had no mark may have got one meanwhile. */
function isSameRun(earlier: ResumeOptions["of"], now: ResumeOptions["of"]): boolean {
  const installation = earlier.installation ?? now.installation;
  return isDeepStrictEqual({ ...earlier, installation }, now);
}

function isFinding(line: unknown): line is Finding {
  return Value.Check(Found, line) && isKind(line.kind);
}

function isKind(name: string): name is FindingKind {
  return Object.hasOwn(FINDINGS, name);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null; // refused, as any line that is none of those
  }
}
