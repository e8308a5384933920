/**
 * The memory and the event loop time that a sweep takes of the serving process: `bun test/bench/sweep-memory.ts [backups]`,
 * a million by default. The records are real; the blobs are only listed, because their folders are read one at a time.
 */
import { Database } from "bun:sqlite";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSweep } from "../../src/maintenance/sweep.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import type { ListedBlob } from "../../src/storage/inspection.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { replaced } from "../support/store-wrappers.ts";

const HOUR_MS = 60 * 60 * 1000;
/** One in so many blobs is unreferenced. */
const ORPHANS = 50;

const backups = Number(process.argv[2] ?? 1_000_000);
const dataDir = await mkdtemp(join(tmpdir(), "backup-service-sweep-"));
const options = { dataDir, clock: systemClock, random: systemRandom };
try {
  await using records = await openLocalRecords(options);
  await using realBlobs = await openLocalBlobs(options);
  fill(join(dataDir, "records.sqlite"));
  const blobs = replaced(realBlobs, { list: listed, sizeOf: async () => 1, delete: async () => {} });
  const run = createSweep({
    records,
    blobs,
    clock: systemClock,
    random: systemRandom,
    restores: async () => [],
  });
  const before = process.memoryUsage.rss();
  let peak = before;
  let longestMs = 0;
  let last = process.cpuUsage();
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
    const { user, system } = process.cpuUsage(last); // CPU time, because the time of other processes does not count
    longestMs = Math.max(longestMs, (user + system) / 1000);
    last = process.cpuUsage();
  }, 1);
  for (let round = 1; round <= 2; round++) {
    const startedMs = performance.now();
    const result = await run();
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(`sweep ${round} of ${backups} backups: ${seconds} s, ${JSON.stringify(result)}\n`);
  }
  clearInterval(timer);
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  process.stdout.write(
    `memory before ${mebibytes(before)}, at most ${mebibytes(peak)}; the event loop was blocked for ${longestMs.toFixed(0)} ms of CPU at most\n`,
  );
} finally {
  await rm(dataDir, { recursive: true });
}

function keyOf(index: number): string {
  return `${index.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

function fill(path: string): void {
  const database = new Database(path);
  const insert = database.query("INSERT INTO backups VALUES (?, 'r', ?, 1, 's', ?, ?)");
  const metadata = JSON.stringify({ text: "x".repeat(600) });
  const nowMs = Date.now();
  database.transaction(() => {
    for (let index = 0; index < backups; index++)
      insert.run(`backup_account_${index}`, keyOf(index), metadata, nowMs);
  })();
  database.close();
}

async function* listed(isSkipped: (key: string) => boolean = () => false): AsyncGenerator<ListedBlob> {
  const orphans = Math.floor(backups / ORPHANS);
  for (let index = 0; index < backups + orphans; index++) {
    if (index % 1000 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    if (!isSkipped(keyOf(index)))
      yield { key: keyOf(index), size: 1, storedAtMs: Date.now() - 2 * HOUR_MS, backupId: null };
  }
}
