/**
 * `bun run backup-data <target folder>`: copies the data folder of the embedded driver, whether or not a service runs on
 * it. The copy is a data folder itself: to restore, start the service with DATA_DIR pointing at it.
 * Ends with status 0 when all was copied, 1 when the source lacks ciphertexts, 2 when there is no new copy.
 */
import { parseArgs } from "node:util";
import { loadStorageConfig } from "../config/storage.ts";
import { typed } from "../runtime/program.ts";
import { type CopyProgress, type CopyResult, copyData } from "../storage/local/copy/data.ts";
import { command, HELP } from "./command.ts";
import { mebibytes, showProgress } from "./progress.ts";
import { requireDatabase } from "./require-database.ts";

const USAGE = `Usage: ${typed("backup-data")} [--verify] <target folder>

Copies database, blobs and keys of DATA_DIR to a folder, consistently, while the service runs. An earlier copy in the
folder is brought up to date; only new blobs are copied then. Each run verifies one of 16 shares of the blobs of earlier
copies, and copies damaged ones again.
  --verify  verifies all blobs of earlier copies

A folder that a service was started on is refused: it has newer backups, which a copy would delete.
`;

const OPTIONS = { verify: { type: "boolean", default: false }, ...HELP } as const;

interface Target {
  readonly folder: string;
  readonly verify: boolean;
}

await command(USAGE, targetOf, copyTo);

async function copyTo(target: Target): Promise<number> {
  const result = await copied(target).catch((cause: unknown) => {
    throw new Error("There is no new copy", { cause });
  });
  process.stdout.write(summary(result, target.folder));
  for (const key of result.repaired)
    process.stderr.write(`the blob ${key} was damaged in the copy and was copied again\n`);
  for (const { backupId, blob, reason } of result.lost)
    process.stderr.write(`backup ${backupId}: the blob ${blob.key} is ${reason} and was not copied\n`);
  return result.lost.length === 0 ? 0 : 1;
}

async function copied({ folder, verify }: Target): Promise<CopyResult> {
  const storage = loadStorageConfig(process.env);
  if (storage.driver !== "local")
    throw new Error(
      "only the embedded driver has a data folder; AWS keeps backups of bucket and tables itself",
    );
  const source = storage.dataDir;
  await requireDatabase(source);
  let progress: CopyProgress | undefined;
  using _line = showProgress(() => (progress === undefined ? "" : progressText(progress)));
  const onProgress = (now: CopyProgress) => {
    progress = now;
  };
  return await copyData({ source, target: folder, verifyAll: verify, onProgress });
}

function targetOf(args: string[]) {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
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
    `${presentBlobs} blobs were already present, ${prunedBlobs} were no longer needed.`,
    `${verifiedBlobs} of the blobs already present were verified.\n`,
  ].join("\n");
}

function progressText({ copiedBlobs, copiedBytes, presentBlobs }: CopyProgress): string {
  return `copied ${copiedBlobs} blobs (${mebibytes(copiedBytes)}), ${presentBlobs} already present`;
}
