/**
 * The memory and the rate of an import: `bun test/bench/import-memory.ts [backups]`, a million by default. The source is
 * made up as it is read and the ciphertexts are not kept; the records are real ones of the embedded driver.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importBackups } from "../../src/maintenance/import/import.ts";
import { newImportCounts } from "../../src/maintenance/import/run.ts";
import { survey } from "../../src/maintenance/import/survey.ts";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { type LegacyRow, type LegacySource, legacyRowKey } from "../../src/storage/legacy.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { newPasskey } from "../support/factors.ts";
import { legacyPasskey } from "../support/legacy-users.ts";
import { replaced } from "../support/store-wrappers.ts";

/** One in so many factors has no row, so that its backup is read twice. */
const WITHOUT_ROW = 100;
const CALLS_PER_SECOND = 500;
const ISSUERS = { GOOGLE: "https://accounts.google.com", APPLE: "https://appleid.apple.com" };
const CONTENT = new Uint8Array(4_096);

const backups = Number(process.argv[2] ?? 1_000_000);
const { kind: passkey } = legacyPasskey(newPasskey());
const dataDir = await mkdtemp(join(tmpdir(), "backup-service-import-"));
const sources = { clock: systemClock, random: systemRandom };
try {
  await using records = await openLocalRecords({ dataDir, ...sources });
  await using realBlobs = await openLocalBlobs({ dataDir, ...sources });
  const sha256 = "0".repeat(64);
  const blobs = replaced(realBlobs, {
    put: async () => ({ key: systemRandom.uuid(), size: CONTENT.length, sha256 }),
  });
  const source = madeUpSource();
  const { atLeastS } = await survey(source, CALLS_PER_SECOND, null);
  const counts = newImportCounts();
  const before = process.memoryUsage.rss();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
  const startedMs = performance.now();
  let findings = 0;
  const run = {
    ...sources,
    source,
    stores: { records, blobs },
    issuers: ISSUERS,
    since: null,
    dryRun: false,
    counts,
  };
  for await (const _finding of importBackups(run)) findings += 1;
  clearInterval(timer);
  const seconds = (performance.now() - startedMs) / 1000;
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  process.stdout.write(
    `${counts.imported} backups in ${seconds.toFixed(0)} s, ${(counts.imported / seconds).toFixed(0)} a second, ${findings} findings; ` +
      `with ${CALLS_PER_SECOND} calls a second it would take ${atLeastS} s\n` +
      `memory before ${mebibytes(before)}, at most ${mebibytes(peak)}\n`,
  );
} finally {
  await rm(dataDir, { recursive: true });
}

function idOf(index: number): string {
  return `backup_account_02${index.toString(16).padStart(64, "0")}`;
}

/** Two factors a backup, and rows for all but a few. */
function madeUpSource(): LegacySource {
  const createdAt = "2025-01-02T03:04:05.678901234Z";
  return {
    ready: async () => {},
    async *list() {
      for (let index = 0; index < backups; index++) {
        if (index % 1000 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
        yield {
          backupId: idOf(index),
          hasMetadata: true,
          modifiedAtMs: null,
          ciphertextBytes: CONTENT.length,
        };
      }
    },
    async metadata(id) {
      const keypair = { kind: "EC_KEYPAIR", publicKey: `main of ${id}` };
      const { registration, webauthnCredential } = passkey as {
        registration: object;
        webauthnCredential: { cred: object };
      };
      const cred_id = Buffer.from(id).toString("base64url");
      const own = {
        kind: "PASSKEY",
        registration,
        webauthnCredential: { cred: { ...webauthnCredential.cred, cred_id } },
      };
      return JSON.stringify({
        id,
        factors: [keypair, own].map((kind, index) => ({ id: `${index}`, createdAt, kind })),
        syncFactors: [{ id: "2", createdAt, kind: { kind: "EC_KEYPAIR", publicKey: `sync of ${id}` } }],
        keys: [{ kind: "PRF", encryptedKey: "x".repeat(300) }],
        manifestHash: "0".repeat(64),
        archiveId: "archive_1",
      });
    },
    ciphertext: async () => CONTENT,
    ciphertextPieces: async () => [CONTENT],
    async rows(factors) {
      const rows = new Map<string, LegacyRow>();
      const id = factors.find(({ scope }) => scope === "SYNC")?.key.slice("EC_KEYPAIR|sync of ".length) ?? "";
      const isWhole = Number.parseInt(id.slice(-6), 16) % WITHOUT_ROW !== 0;
      for (const factor of factors)
        if (isWhole || factor.scope === "SYNC")
          rows.set(legacyRowKey(factor), { backupId: id, lastUsedAt: null });
      return rows;
    },
    async [Symbol.asyncDispose]() {},
  };
}
