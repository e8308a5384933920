/**
 * `bun run export`: writes the backups in the layout of the other service.
 * Ends with status 0 when all are there, 1 with findings, 2 when it could not run.
 */
import { parseArgs } from "node:util";
import { loadStorageConfig } from "../config/storage.ts";
import { type ExportCounts, exportBackups } from "../maintenance/export/export.ts";
import { requireOneInstallation } from "../maintenance/installation.ts";
import { systemClock, systemRandom } from "../runtime/clock.ts";
import { typed } from "../runtime/program.ts";
import { storesOfApp } from "../storage/app-scope.ts";
import { openLegacyTarget } from "../storage/aws/legacy/target.ts";
import { openStores } from "../storage/open.ts";
import { command } from "./command.ts";
import { MOVE_OPTIONS, MOVE_USAGE, moveOf, requireMove, requireOtherStores } from "./move-options.ts";
import { reported } from "./move-output.ts";
import { requireDatabase } from "./require-database.ts";

const USAGE = `Usage: ${typed("export")} --bucket B --table T [--region R] [--endpoint URL] [--rate N] [--replace]
       [--dry-run] [--app NAME] [--json]

Writes every backup to a bucket and a table in the layout of the other service; both must exist. The backups here stay
as they are. May be killed and started again.
${MOVE_USAGE}  --replace   writes over backups that are there in another state

${typed("import")} --verify with the same bucket and table compares what was written. The storage to read is the one that
STORAGE_DRIVER, DATA_DIR and the variables of AWS name, as for the service. When to do it: src/maintenance/import/README.md
`;

const OPTIONS = { ...MOVE_OPTIONS, replace: { type: "boolean", default: false } } as const;
const SOURCES = { clock: systemClock, random: systemRandom };

type Totals = Pick<ExportCounts, "exported" | "alreadyThere">;

await command(USAGE, optionsOf, exportAll);

function exportAll(options: ReturnType<typeof optionsOf>): Promise<number> {
  const { json, replace } = options;
  const dryRun = options["dry-run"];
  const summary = ({ exported, alreadyThere }: Totals) =>
    `${dryRun ? "Would write" : "Wrote"} ${exported} backups; ${alreadyThere} were there already.`;
  return reported({ json, summary }, async (follow) => {
    const { location, issuers, callsPerSecond, scope } = moveOf(options);
    const storage = loadStorageConfig(process.env);
    requireOtherStores(storage, options);
    if (storage.driver === "local") await requireDatabase(storage.dataDir);
    await using target = openLegacyTarget(location, { ...SOURCES, callsPerSecond });
    await target.ready();
    const stores = await openStores(storage, SOURCES, { serves: false });
    await using records = stores.records;
    await using blobs = stores.blobs;
    await Promise.all([records.ready(), blobs.ready()]);
    await requireOneInstallation(stores);
    const counts: ExportCounts = { seen: 0, exported: 0, alreadyThere: 0 };
    const run = { ...storesOfApp(stores, scope), target, issuers, replace, dryRun, counts };
    await follow(exportBackups(run), () => `${counts.seen} backups`);
    return { exported: counts.exported, alreadyThere: counts.alreadyThere };
  });
}

function optionsOf(args: string[]) {
  const { values } = parseArgs({ args, options: OPTIONS });
  requireMove(values);
  return values;
}
