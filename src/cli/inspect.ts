/**
 * `bun run inspect BACKUP_ID`: what is stored about one backup, for an operator who answers its owner, and what an operator
 * can do for the owner. Ends with status 0 when the backup or a deleted state is there and whole, 1 when nothing is,
 * when a ciphertext is missing, or when a change was refused, 2 when it could not run.
 */
import { parseArgs } from "node:util";
import { namedApp } from "../config/apps.ts";
import { loadHistoryConfig } from "../config/history.ts";
import { loadStorageConfig } from "../config/storage.ts";
import { type Inspection, inspect } from "../maintenance/inspect/inspect.ts";
import { type OperatorsChange, Refused } from "../maintenance/inspect/operators-change.ts";
import { restoreVersionForOwner } from "../maintenance/inspect/restore-version.ts";
import { undeleteForOwner } from "../maintenance/inspect/undelete.ts";
import { joinInstallation, requireOneInstallation } from "../maintenance/installation.ts";
import { isBackupId, UUID } from "../protocol/backup.ts";
import { systemClock, systemRandom } from "../runtime/clock.ts";
import { typed } from "../runtime/program.ts";
import { type AppStores, storesOfApp } from "../storage/app-scope.ts";
import { openStores } from "../storage/open.ts";
import { APP, command, HELP } from "./command.ts";
import { explain } from "./explain.ts";
import { type ChangeResult, inspectionText } from "./inspect-output.ts";
import { requireDatabase } from "./require-database.ts";

const USAGE = `Usage: ${typed("inspect")} BACKUP_ID [--events N] [--json]
       ${typed("inspect")} BACKUP_ID --undelete [DELETION_ID] [--replace] [--dry-run] [--json]
       ${typed("inspect")} BACKUP_ID --restore-version VERSION_ID [--dry-run] [--json]

Shows factors, contents, deleted states and the newest events of one backup, and whether the ciphertexts are there.
Shows no key, registration or subject of an account. Changes nothing without --undelete or --restore-version.
  --app              the app that the backup is of, where APPS_FILE is set; required then
  --events           how many events are shown, 0 to 1000; 20 if not given
  --undelete         brings a deleted state back, the latest if none is named; the sync factor that deleted it stays off.
                     Refused while the id or one of the factors is in use
  --replace          with --undelete DELETION_ID: the backup that has the id now is set aside, as if it were deleted
  --restore-version  makes a version the content again; what is the content now becomes a version
  --dry-run          only checks whether it can be done
  --json             prints one JSON document

Each change is one commit, while the service runs or not, and leaves an event without an actor. The storage is the one
that STORAGE_DRIVER, DATA_DIR and the variables of AWS name, as for the service. Where WEBHOOK_URL is set, the service
posts the event.
`;

const OPTIONS = {
  events: { type: "string", default: "20" },
  undelete: { type: "boolean", default: false },
  replace: { type: "boolean", default: false },
  "restore-version": { type: "string" },
  "dry-run": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  ...APP,
  ...HELP,
} as const;
const SOURCES = { clock: systemClock, random: systemRandom };
const ID = new RegExp(`^${UUID}$`);
const MAX_EVENTS = 1_000;

/** What to change. `id` names the deletion or the version; `null`: the latest deletion. */
type Wanted =
  | { readonly change: "undelete"; readonly id: string | null; readonly replaces: boolean }
  | { readonly change: "restore-version"; readonly id: string };

type Options = ReturnType<typeof optionsOf>;

await command(USAGE, optionsOf, async (options) => {
  try {
    return await inspectOne(options);
  } catch (error) {
    if (!options.json) throw error;
    process.stdout.write(`${JSON.stringify({ error: explain(error) })}\n`);
    return 2;
  }
});

async function inspectOne(options: Options): Promise<number> {
  const { backupId, wanted, events, json } = options;
  const app = namedApp(process.env, options.app);
  const storage = loadStorageConfig(process.env);
  if (storage.driver === "local") await requireDatabase(storage.dataDir);
  const stores = await openStores(storage, SOURCES, { serves: false });
  await using records = stores.records;
  await using blobs = stores.blobs;
  await Promise.all([records.ready(), blobs.ready()]);
  await (wanted === null ? requireOneInstallation(stores) : joinInstallation(stores, SOURCES));
  const ofApp = storesOfApp(stores, app.scope);
  const change = wanted && (await changed(ofApp, loadHistoryConfig(app.env), options, wanted));
  const inspection = await inspect(ofApp, backupId, events);
  process.stdout.write(
    json
      ? `${JSON.stringify({ ...inspection, change }, null, 2)}\n`
      : inspectionText(inspection, change, systemClock.nowMs()),
  );
  return isWhole(inspection) && (change?.refused ?? null) === null ? 0 : 1;
}

async function changed(
  stores: AppStores,
  { deletedKeepMs, ...events }: ReturnType<typeof loadHistoryConfig>,
  { backupId, dryRun }: Options,
  wanted: Wanted,
): Promise<ChangeResult> {
  const operators: OperatorsChange = { ...SOURCES, ...events, stores, backupId, dryRun };
  const { change, id } = wanted;
  const result = { change, id, dryRun, refused: null };
  try {
    if (wanted.change === "undelete") {
      const replace = wanted.replaces ? { deletedKeepMs } : null;
      return { ...result, id: await undeleteForOwner(operators, { deletionId: wanted.id, replace }) };
    }
    await restoreVersionForOwner(operators, wanted.id);
    return result;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...result, refused: error.message };
  }
}

function isWhole({ backup, problem, deleted }: Inspection): boolean {
  const states = backup === null ? deleted : [backup, ...deleted];
  return (
    problem === null &&
    states.length > 0 &&
    states.every(
      ({ metadata, blob, versions }) =>
        metadata !== null && [blob, ...versions.map((version) => version.blob)].every(isThere),
    )
  );
}

function isThere({ stored }: { readonly stored: string }): boolean {
  return stored === "there";
}

function optionsOf(args: string[]) {
  const { values, positionals, tokens } = parseArgs({
    args,
    options: OPTIONS,
    allowPositionals: true,
    tokens: true,
  });
  // the id of a deletion follows --undelete, wherever that stands: ids of backups may be UUIDs too
  const at = tokens.findIndex((token) => token.kind === "option" && token.name === "undelete");
  const after = at < 0 ? undefined : tokens[at + 1];
  const deletionId = positionals.length === 2 && after?.kind === "positional" ? after.value : null;
  const [backupId = "", ...others] = positionals.filter((text) => text !== deletionId);
  const options = {
    help: values.help,
    app: values.app,
    json: values.json,
    dryRun: values["dry-run"],
    events: eventCount(values.events),
    backupId,
    wanted: wantedOf(values, deletionId),
  };
  if (values.help) return options;
  if (backupId === "" || others.length > 0) throw new Error("name one backup");
  if (!isBackupId(backupId)) throw new Error("this is not the id of a backup");
  if (options.dryRun && options.wanted === null)
    throw new Error("--dry-run is for --undelete and --restore-version");
  return options;
}

interface WantedValues {
  readonly undelete: boolean;
  readonly replace: boolean;
  readonly "restore-version"?: string | undefined;
}

function wantedOf(values: WantedValues, deletionId: string | null): Wanted | null {
  const { undelete, replace: replaces, "restore-version": versionId } = values;
  if (replaces && deletionId === null) throw new Error("--replace is for --undelete DELETION_ID");
  if (undelete && versionId !== undefined)
    throw new Error("--undelete and --restore-version are two changes: make one after the other");
  if (undelete) return { change: "undelete", id: deletionId && idOf("--undelete", deletionId), replaces };
  return versionId === undefined
    ? null
    : { change: "restore-version", id: idOf("--restore-version", versionId) };
}

function idOf(option: string, text: string): string {
  if (!ID.test(text)) throw new Error(`${option} takes an id as it is shown, a UUID`);
  return text.toLowerCase();
}

function eventCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : MAX_EVENTS + 1;
  if (count > MAX_EVENTS) throw new Error(`--events takes a whole number from 0 to ${MAX_EVENTS}`);
  return count;
}
