/**
 * `bun run import`: takes over the backups of another service, or compares them with their source.
 * Ends with status 0 when all are here, 1 with findings, 2 when it could not run.
 */
import { parseArgs } from "node:util";
import { loadStorageConfig, type StorageConfig } from "../config/storage.ts";
import { importBackups, verifyImport } from "../maintenance/import/import.ts";
import { type ImportCounts, type ImportRun, newImportCounts } from "../maintenance/import/run.ts";
import { type Survey, survey } from "../maintenance/import/survey.ts";
import { joinInstallation, requireOneInstallation } from "../maintenance/installation.ts";
import { systemClock, systemRandom } from "../runtime/clock.ts";
import { typed } from "../runtime/program.ts";
import { storesOfApp } from "../storage/app-scope.ts";
import { openLegacySource } from "../storage/aws/legacy/source.ts";
import type { InspectableStores } from "../storage/inspection.ts";
import { openStores } from "../storage/open.ts";
import { command } from "./command.ts";
import { MOVE_OPTIONS, MOVE_USAGE, moveOf, requireMove, requireOtherStores } from "./move-options.ts";
import { duration, note, reported } from "./move-output.ts";
import { mebibytes } from "./progress.ts";
import { hasDatabase, requireDatabase } from "./require-database.ts";

const USAGE = `Usage: ${typed("import")} --bucket B --table T [--region R] [--endpoint URL] [--rate N] [--since TIME]
       [--dry-run | --verify] [--app NAME] [--json]

Takes over every backup of another service, and only reads there. What has changed or was deleted here since an earlier run
stays as it is; what has changed only there is taken over again. May be killed and started again.
${MOVE_USAGE}  --since     of what an earlier run took over, reads only what was written there since TIME (RFC 3339)
  --verify    compares every backup with its source, each byte of it, and writes nothing; with --since only those that an
              import with the same TIME reads

The storage to take them over to is the one that STORAGE_DRIVER, DATA_DIR and the variables of AWS name, as for the
service; GOOGLE_ISSUER and APPLE_ISSUER are read, too. What to do before and after: src/maintenance/import/README.md
`;

const OPTIONS = {
  ...MOVE_OPTIONS,
  since: { type: "string" },
  verify: { type: "boolean", default: false },
} as const;
const SOURCES = { clock: systemClock, random: systemRandom };
/** Without a zone a time would be that of the machine, and "1" is a year for `Date.parse`. */
const TIME = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

type Options = ReturnType<typeof optionsOf>;
type Totals = Pick<ImportCounts, "imported" | "alreadyThere">;

await command(USAGE, optionsOf, importAll);

function importAll(options: Options): Promise<number> {
  const { json, verify } = options;
  const dryRun = options["dry-run"];
  const since = sinceOf(options);
  const summary = (totals: Totals) => sentence(totals, { verify, dryRun, since });
  return reported({ json, summary }, async (follow) => {
    const { location, issuers, callsPerSecond, scope } = moveOf(options);
    const storage = loadStorageConfig(process.env);
    requireOtherStores(storage, options);
    await using source = openLegacySource(location, { ...SOURCES, callsPerSecond });
    await source.ready();
    const opened = await storesOf(storage, options);
    const stores = opened && storesOfApp(opened, scope);
    try {
      const found = await survey(source, callsPerSecond, since);
      note(estimate(found));
      const counts = newImportCounts();
      const run = { ...SOURCES, source, stores, issuers, since, dryRun, counts };
      const startedMs = performance.now();
      const findings = verify && stores !== null ? verifyImport(run, stores) : importBackups(run);
      await follow(findings, () => progress(counts, found, performance.now() - startedMs));
      return { imported: counts.imported, alreadyThere: counts.alreadyThere };
    } finally {
      await opened?.records[Symbol.asyncDispose]();
      await opened?.blobs[Symbol.asyncDispose]();
    }
  });
}

/** Opening a data folder makes one, so where nothing may be written and there is none the stores are `null`. */
async function storesOf(storage: StorageConfig, options: Options): Promise<InspectableStores | null> {
  const writes = !options.verify && !options["dry-run"];
  if (storage.driver === "local" && !writes) {
    if (options["dry-run"] && !(await hasDatabase(storage.dataDir))) return null;
    await requireDatabase(storage.dataDir);
  }
  const stores = await openStores(storage, SOURCES, { serves: writes });
  await Promise.all([stores.records.ready(), stores.blobs.ready()]);
  if (writes) await joinInstallation(stores, SOURCES);
  else await requireOneInstallation(stores);
  return stores;
}

function optionsOf(args: string[]) {
  const { values } = parseArgs({ args, options: OPTIONS });
  requireMove(values);
  sinceOf(values);
  if (values.verify && values["dry-run"]) throw new Error("--verify writes nothing: leave --dry-run out");
  return values;
}

/** Milliseconds since the epoch. @throws Error */
function sinceOf({ since }: { readonly since?: string | undefined }): number | null {
  if (since === undefined) return null;
  const ms = TIME.test(since) ? Date.parse(since.toUpperCase()) : Number.NaN;
  if (Number.isNaN(ms)) throw new Error("--since takes a time such as 2025-01-02T03:04:05Z");
  if (ms > systemClock.nowMs()) throw new Error("--since is in the future: nothing would be read again");
  return ms;
}

function estimate({ backups, bytes, atLeastS }: Survey): string {
  return `${backups} backups with ciphertexts of ${mebibytes(bytes)}: at this rate it takes ${duration(atLeastS)} or longer.\n`;
}

function progress({ seen, bytes }: ImportCounts, { backups }: Survey, elapsedMs: number): string {
  const leftS = seen === 0 ? 0 : ((backups - seen) * elapsedMs) / seen / 1000;
  return `${seen} of ${backups} backups, ${mebibytes(bytes)}, ${duration(Math.max(0, leftS))} left`;
}

function sentence(
  { imported, alreadyThere }: Totals,
  { verify, dryRun, since }: Pick<ImportRun, "dryRun" | "since"> & { readonly verify: boolean },
): string {
  if (verify)
    return `${alreadyThere} backups${since === null ? "" : " that were read"} are as in the source.`;
  const done = dryRun ? "Would take over" : "Took over";
  return `${done} ${imported} backups; ${alreadyThere} were taken over before.`;
}
