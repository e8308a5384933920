/**
 * What the doctor costs on the embedded driver: `bun test/bench/doctor.ts [backups]`, a million by
 * default, or `bun run bench --only doctor`. Each backup has a keypair, two devices, a content and a version of 100 bytes in
 * files of their own.
 */
import { Database } from "bun:sqlite";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeHex, sha256 } from "../../src/crypto/encoding.ts";
import { joinInstallation } from "../../src/maintenance/installation.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { factorKeys } from "../../src/storage/contract.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { CLEAN_ENVIRONMENT } from "../support/clean-environment.ts";

const ROOT = join(import.meta.dir, "../..");

export interface DoctorCost {
  readonly backups: number;
  readonly seconds: number;
  readonly backupsPerSecond: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

/** Makes a data folder with so many backups. */
async function filledFolder(backups: number): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "backup-service-doctor-"));
  const options = { dataDir, clock: systemClock, random: systemRandom };
  {
    await using records = await openLocalRecords(options);
    await using blobs = await openLocalBlobs(options);
    await joinInstallation({ records, blobs }, options);
  }
  for (let byte = 0; byte < 256; byte++)
    await mkdir(join(dataDir, "blobs", byte.toString(16).padStart(2, "0")), { recursive: true });
  using database = new Database(join(dataDir, "records.sqlite"));
  database.run("PRAGMA synchronous = OFF");
  const putRecord = database.query(
    "INSERT INTO backups (backup_id, revision, blob_key, blob_size, blob_sha256, metadata, updated_at_ms, versions) VALUES (?, 'r', ?, 100, ?, ?, ?, ?)",
  );
  const putRow = database.query(
    "INSERT INTO factor_index (scope, factor_key, backup_id, created_at_ms) VALUES (?, ?, ?, 1)",
  );
  const content = new Uint8Array(100);
  const hash = encodeHex(sha256(content));
  const nowMs = Date.now();
  database.transaction(() => {
    for (let index = 0; index < backups; index++) {
      const id = `backup_account_02${encodeHex(sha256(`${index}`))}`;
      const blobs = [crypto.randomUUID(), crypto.randomUUID()];
      for (const key of blobs) writeFileSync(join(dataDir, "blobs", key.slice(0, 2), key), content);
      const [current = "", old = ""] = blobs;
      const factor = (name: string) => ({
        id: crypto.randomUUID(),
        createdAt: 1,
        kind: { kind: "EC_KEYPAIR", publicKey: Buffer.from(`${name} of ${id}`).toString("base64") },
      });
      const [main, one, other] = [factor("main"), factor("one"), factor("other")];
      const metadata = {
        id,
        manifestHash: hash,
        keys: [{ kind: "ICLOUD", encryptedKey: "RU5DUllQVEVE" }],
        factors: [main],
        syncFactors: [one, other],
      };
      const version = {
        versionId: crypto.randomUUID(),
        manifestHash: hash,
        createdAtMs: 1,
        replacedAtMs: 2,
        blob: { key: old, size: 100, sha256: hash },
      };
      putRecord.run(id, current, hash, JSON.stringify(metadata), nowMs, JSON.stringify([version]));
      for (const [scope, { kind }] of [
        ["MAIN", main],
        ["SYNC", one],
        ["SYNC", other],
      ] as const)
        putRow.run(scope, factorKeys.ecKeypair(kind.publicKey), id);
    }
  })();
  return dataDir;
}

/** Has a process of its own examine a data folder. */
async function doctorCost(dataDir: string, backups: number): Promise<DoctorCost> {
  const startedMs = performance.now();
  const child = Bun.spawn(["bun", "src/cli/doctor.ts", "--json"], {
    cwd: ROOT,
    env: {
      BUN_JSC_forceRAMSize: "268435456",
      ...CLEAN_ENVIRONMENT,
      STORAGE_DRIVER: "local",
      DATA_DIR: dataDir,
    },
    stdout: "pipe",
  });
  const { summary } = JSON.parse(await new Response(child.stdout).text());
  await child.exited;
  if (summary?.healthy !== true || summary.counts.backups !== backups)
    throw new Error(`the doctor found something: ${JSON.stringify(summary)}`);
  const seconds = (performance.now() - startedMs) / 1000;
  const usage = child.resourceUsage();
  return {
    backups,
    seconds,
    backupsPerSecond: backups / seconds,
    cpuSeconds: Number(usage?.cpuTime.total ?? 0) / 1e6,
    peakMiB: Number(usage?.maxRSS ?? 0) / 2 ** 20,
  };
}

/** Makes a data folder, and has it examined. */
export async function measureDoctor(backups: number): Promise<DoctorCost> {
  const dataDir = await filledFolder(backups);
  try {
    return await doctorCost(dataDir, backups);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

if (import.meta.main)
  process.stdout.write(`${JSON.stringify(await measureDoctor(Number(process.argv[2] ?? 1_000_000)))}\n`);
