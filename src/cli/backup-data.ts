/**
 * `bun run backup-data <target folder>`: copies the data folder of the local driver, beside a running service or
 * without one. The copy is a data folder itself: to restore, start the service with DATA_DIR pointing at it.
 * Ends with status 0 when all was copied, 1 when the source lacks ciphertexts, 2 when there is no new copy.
 */
import { parseArgs } from "node:util";
import type { Environment } from "../config/environment.ts";
import { loadStorageConfig } from "../config/storage.ts";
import { type CopyProgress, type CopyResult, copyData } from "../storage/local/copy/data.ts";
import { explain } from "./explain.ts";
import { HELP, optionsOrStatus } from "./options.ts";
import { createProgressLine, mebibytes } from "./progress.ts";
import { requireDatabase } from "./require-database.ts";

const USAGE = `Usage: bun run backup-data [--verify] <target folder>

Copies database, blobs and keys of DATA_DIR to a folder, consistently, while the service runs. An earlier copy in the
folder is brought up to date; only new blobs are copied then. Of those that are there already each run reads one of 16
shares in turn and copies again what is damaged.
  --verify  reads all of them

A folder that a service was started on is refused: it has what came since, and a copy would delete that.
`;

const OPTIONS = { verify: { type: "boolean", default: false }, ...HELP } as const;

process.exitCode = await main(process.argv.slice(2), process.env);

async function main(args: readonly string[], env: Environment): Promise<number> {
  const target = optionsOrStatus(USAGE, () => targetOf(args));
  if (typeof target === "number") return target;
  const progress = createProgressLine();
  try {
    const storage = loadStorageConfig(env);
    if (storage.driver !== "local")
      throw new Error(
        "only the local driver has a data folder; AWS keeps backups of bucket and tables itself",
      );
    const source = storage.dataDir;
    await requireDatabase(source);
    const result = await copyData({
      source,
      target: target.folder,
      verifyAll: target.verify,
      onProgress: (copied) => progress.show(() => progressText(copied)),
    });
    progress.end();
    process.stdout.write(summary(result, target.folder));
    for (const key of result.mended)
      process.stderr.write(`the blob ${key} was damaged in the copy and was copied again\n`);
    for (const { backupId, blob, reason } of result.lost)
      process.stderr.write(`backup ${backupId}: the blob ${blob.key} is ${reason} and was not copied\n`);
    return result.lost.length === 0 ? 0 : 1;
  } catch (error) {
    progress.end();
    process.stderr.write(`There is no new copy: ${explain(error)}\n`);
    return 2;
  }
}

function targetOf(args: readonly string[]) {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const [folder = "", ...others] = positionals;
  if (!values.help && (folder === "" || others.length > 0)) throw new Error("name one target folder");
  return { ...values, folder };
}

function summary(
  { copiedBlobs, copiedBytes, presentBlobs, verifiedBlobs, prunedBlobs }: CopyResult,
  folder: string,
): string {
  return [
    `Copied to ${folder}: the database and ${copiedBlobs} blobs (${mebibytes(copiedBytes)}).`,
    `${presentBlobs} blobs were there already, ${prunedBlobs} were no longer needed.`,
    `${verifiedBlobs} of those that were there were read and their hashes checked.\n`,
  ].join("\n");
}

function progressText({ copiedBlobs, copiedBytes, presentBlobs }: CopyProgress): string {
  return `copied ${copiedBlobs} blobs (${mebibytes(copiedBytes)}), ${presentBlobs} there already`;
}
