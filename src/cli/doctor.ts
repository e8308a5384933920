/**
 * `bun run doctor`: checks that everything that is stored fits together, whether or not a service is running.
 * Ends with status 0 when all is well, 1 when findings are left, 2 when it could not run.
 */
import { setTimeout as after } from "node:timers/promises";
import { parseArgs } from "node:util";
import { servedScopes } from "../config/apps.ts";
import { loadStorageConfig } from "../config/storage.ts";
import { Counts } from "../maintenance/doctor/examination.ts";
import { examine } from "../maintenance/doctor/examine.ts";
import { type Finding, REMOVABLE } from "../maintenance/doctor/findings.ts";
import { openResumeFile } from "../maintenance/doctor/resume-file.ts";
import { declareRestored, joinInstallation, requireOneInstallation } from "../maintenance/installation.ts";
import { systemClock, systemRandom } from "../runtime/clock.ts";
import { createBursts } from "../runtime/pace.ts";
import { typed } from "../runtime/program.ts";
import { version } from "../runtime/version.ts";
import { openStores } from "../storage/open.ts";
import { command, HELP } from "./command.ts";
import { jsonReport, progressText, textReport } from "./doctor-output.ts";
import { explain } from "./explain.ts";
import { showProgress } from "./progress.ts";
import { requireDatabase } from "./require-database.ts";

const USAGE = `Usage: ${typed("doctor")} [--verify] [--repair [--remove KIND]...] [--restored] [--json]
                     [--rate N] [--progress] [--resume FILE]

Checks every backup, index row and blob. Changes nothing without --repair or --restored.
  --verify  reads every blob that a backup, a version or a deleted backup refers to, and checks its hash
  --repair  deletes blobs that nothing refers to (where it finds any it waits for a minute and checks them again),
            releases index rows without factor, adds those that are missing, removes deleted backups whose time is over
  --remove  with --repair: also deletes the blobs of this kind that no record refers to, which are left to you otherwise:
            blob-of-unknown-backup (there is no record of its backup; it may be another installation's) or
            blob-newer-than-records (records from the same time are missing; a lost record may need it)
  --restored
            before the service is started again: says that records or blobs were restored from a copy and belong
            together, so that proofs from before are refused and no blob is deleted that is younger than the records.
            A copy made by backup-data needs it only where it has no mark of its installation
  --rate N  checks at most N index rows, backups and deleted backups a second, so that a service has the rest
  --progress
            writes each 10 seconds how far it is, also where no person watches
  --resume FILE
            notes in FILE how far it is, and goes on from there if an earlier run with the same options left the file. A
            run that ends removes it. Whatever the earlier run found is reported again. Checked again is what has changed
            since, and which blobs nothing refers to. What broke otherwise in what was checked, such as a damaged file, is
            found by the next whole run
  --json    prints one JSON document

The storage is the one that STORAGE_DRIVER, DATA_DIR and the variables of AWS name, as for the service. Backups of all
apps are checked; those of apps that are not in the file of APPS_FILE are counted, and kept like the others.
`;

const OPTIONS = {
  verify: { type: "boolean", default: false },
  repair: { type: "boolean", default: false },
  remove: { type: "string", multiple: true },
  restored: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  rate: { type: "string" },
  progress: { type: "boolean", default: false },
  resume: { type: "string" },
  ...HELP,
} as const;
/** Twice as long as a request may take once its body has arrived. */
const PAUSE_MS = 60_000;

await command(USAGE, optionsOf, examineStorage);

async function examineStorage(options: ReturnType<typeof optionsOf>): Promise<number> {
  const { verify, repair, remove, restored, json, rate, progress } = options;
  const write = (text: string) => void process.stdout.write(text);
  const report = json ? jsonReport(write) : textReport(write, (text) => void process.stderr.write(text));
  const counts = new Counts();
  const found = { left: 0, repaired: 0 };
  report.begin();
  try {
    const storage = loadStorageConfig(process.env);
    const served = new Set(servedScopes(process.env)); // a file that is not valid is reported before anything is changed
    if (storage.driver === "local") await requireDatabase(storage.dataDir);
    const sources = { clock: systemClock, random: systemRandom };
    const stores = await openStores(storage, sources, { serves: false });
    await using records = stores.records;
    await using blobs = stores.blobs;
    await Promise.all([records.ready(), blobs.ready()]);
    if (restored) await declareRestored(stores, sources);
    else if (repair) await joinInstallation(stores, sources);
    else await requireOneInstallation(stores);
    const note = (finding: Finding) => {
      found[finding.repaired ? "repaired" : "left"] += 1;
      report.found(finding);
    };
    const restores = await records.restores();
    const restoredAtMs =
      restores.length === 0 ? null : Math.max(...restores.map((restore) => restore.restoredAtMs));
    using file =
      options.resume === undefined
        ? null
        : openResumeFile(options.resume, {
            of: {
              version,
              installation: await records.installationId(),
              restoredAtMs,
              verify,
              repair,
              remove: [...remove],
            },
            counts,
            clock: systemClock,
          });
    for (const finding of file?.findings ?? []) note(finding);
    const startedMs = performance.now();
    const since = Object.assign(new Counts(), counts);
    const text = () => progressText(counts, { verify, since, elapsedMs: performance.now() - startedMs });
    using _line = showProgress(text, progress);
    const findings = examine({
      ...{ records, blobs, ...sources, verify, repair, remove, counts },
      servedScopes: served,
      restores,
      pause: () => after(PAUSE_MS),
      pace: rate === null ? async () => {} : createBursts(rate, systemClock).next,
      interrupted: file?.interrupted ?? null,
      reached: file?.reached ?? null,
    });
    for await (const finding of findings) {
      if (file?.isKnown(finding)) continue;
      note(finding); // first, because the disk of the file may be full
      file?.found(finding);
    }
    file?.remove();
    const format = await records.format();
    report.end({ healthy: found.left === 0, ...found, verify, repair, format, version, counts });
  } catch (error) {
    report.failed(explain(error));
    return 2;
  }
  return found.left === 0 ? 0 : 1;
}

function optionsOf(args: string[]) {
  const { remove = [], ...values } = parseArgs({ args, options: OPTIONS }).values;
  const kinds = remove.map((name) => REMOVABLE.find((kind) => kind === name) ?? unknownKind(name));
  if (kinds.length > 0 && !values.repair) throw new Error("--remove is for --repair");
  return { ...values, remove: new Set(kinds), rate: rateOf(values.rate) };
}

function rateOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error("--rate takes a whole number from 1 to 9999999");
  return Number(text);
}

function unknownKind(name: string): never {
  throw new Error(`--remove takes ${REMOVABLE.join(" or ")}, not ${name.slice(0, 50)}`);
}
