/** The report of `bun run inspect` for people. */
import type { Inspection, ShownDeletion } from "../maintenance/inspect/inspect.ts";
import type { ShownBlob, ShownEvent, ShownFactor, ShownState } from "../maintenance/inspect/shown-state.ts";

/** What became of a change that was asked for. */
export interface ChangeResult {
  readonly change: "undelete" | "restore-version";
  /** The id of the deletion or version; `null` where none was found. */
  readonly id: string | null;
  readonly dryRun: boolean;
  /** Why it was not made; `null` where it was, or with `dryRun` could be. */
  readonly refused: string | null;
}

export function inspectionText(
  { backupId, backup, problem, deleted, moreDeleted, events }: Inspection,
  change: ChangeResult | null,
  nowMs: number,
): string {
  const time = (iso: string) => `${iso.slice(0, 19)}Z (${ago(Date.parse(iso), nowMs)})`;
  const lines = [
    ...(change === null ? [] : [changeLine(change), ""]),
    `Backup ${backupId}`,
    ...(problem === null ? [] : [`  CANNOT BE READ: ${problem}`]),
    ...(backup === null && problem === null ? ["  there is none now"] : []),
    ...(backup === null ? [] : stateLines(backup, time)),
    ...(backup?.changedAt == null ? [] : [`  changed last  ${time(backup.changedAt)}`]),
    ...deleted.flatMap((state) => ["", ...deletionLines(state, time)]),
    ...(moreDeleted ? ["", "Earlier deleted states are kept too."] : []),
    "",
    ...(events.length === 0
      ? ["No events are shown."]
      : ["Events, newest first", ...events.map((event) => `  ${eventLine(event, time)}`)]),
  ];
  return `${lines.map(printable).join("\n")}\n`;
}

type Time = (iso: string) => string;

function changeLine({ change, id, dryRun, refused }: ChangeResult): string {
  const what = change === "undelete" ? "the deleted state" : "the version";
  const named = id === null ? what : `${what} ${id}`;
  const did = change === "undelete" ? "Brought back" : "Restored";
  if (refused !== null) return `REFUSED: ${refused}. Nothing was changed.`;
  return dryRun ? `This can be done with ${named}. Nothing was changed.` : `${did} ${named}.`;
}

function deletionLines(state: ShownDeletion, time: Time): string[] {
  const { deletionId, deletedAt, keptUntil, deletedBy } = state;
  return [
    `Deleted state ${deletionId}`,
    `  deleted       ${time(deletedAt)}, ${deletedBy === null ? "by no sync factor" : `by the sync factor ${deletedBy}`}`,
    `  kept until    ${time(keptUntil)}`,
    ...stateLines(state, time),
  ];
}

function stateLines({ metadata, problem, blob, versions }: ShownState, time: Time): string[] {
  const content = `  content       ${blobText(blob)}`;
  return [
    ...(metadata === null
      ? [content, `  METADATA CANNOT BE USED: ${problem}`]
      : [
          `${content}, ${metadata.contentSince === null ? "" : `since ${time(metadata.contentSince)}, `}manifest hash ${metadata.manifestHash}`,
          `  keys          ${metadata.encryptionKeys.join(", ")}`,
          ...metadata.mainFactors.map((factor) => `  main factor   ${factorText(factor, time)}`),
          ...metadata.syncFactors.map(
            (factor) =>
              `  sync factor   ${factorText(factor, time)}, ${factor.lastUsedAt === null ? "not used" : `used last ${time(factor.lastUsedAt)}`}`,
          ),
        ]),
    ...versions.map(
      ({ versionId, createdAt, replacedAt, manifestHash, blob }) =>
        `  version       ${versionId} ${blobText(blob)}, from ${time(createdAt)} to ${time(replacedAt)}, manifest hash ${manifestHash}`,
    ),
  ];
}

function blobText({ key, size, stored }: ShownBlob): string {
  return stored === "there" ? `${size} bytes` : `${size} bytes, ciphertext ${stored.toUpperCase()} (${key})`;
}

function factorText({ factorId, kind, label, account, createdAt }: ShownFactor, time: Time): string {
  const what = [
    kind,
    ...(account === null ? [] : [account.kind, account.maskedEmail]),
    ...(label === null || label === "" ? [] : [JSON.stringify(label)]),
  ].join(" ");
  return `${factorId} ${what}, added ${time(createdAt)}`;
}

const FACTOR = ["scope", "kind", "factorId"] as const;

function eventLine({ at, kind, actor, subject, client }: ShownEvent, time: Time): string {
  return [
    `${time(at)} ${text(kind)}`,
    actor === null ? "by no factor" : `by ${members(actor, ...FACTOR)}`,
    ...(subject === null ? [] : [`of ${members(subject, ...FACTOR)}`]),
    ...(client === null ? [] : [`from ${members(client, "name", "version")}`]),
  ].join(", ");
}

/** The values of some members of a factor or an app, as they are stored. */
function members(value: unknown, ...names: readonly string[]): string {
  const member = (name: string): unknown => Reflect.get(Object(value), name);
  return names.map((name) => text(member(name))).join(" ");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** Clients choose labels, and should not control the terminal: no control characters, no change of direction. */
function printable(line: string): string {
  return line.replace(/\p{C}/gu, "\u{fffd}");
}

const UNITS = [
  ["day", 24 * 60 * 60 * 1000],
  ["hour", 60 * 60 * 1000],
  ["minute", 60 * 1000],
] as const;

/** How far from now a time is, in the largest unit that fits. */
function ago(ms: number, nowMs: number): string {
  const distance = Math.abs(nowMs - ms);
  const [unit, unitMs] = UNITS.find(([, size]) => distance >= size) ?? ["second", 1000];
  const count = Math.floor(distance / unitMs);
  const amount = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return ms <= nowMs ? `${amount} ago` : `in ${amount}`;
}
