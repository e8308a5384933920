import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { type CopyOptions, copyData } from "../../src/storage/local/copy/data.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { DRIVERS } from "../drivers.ts";
import { examined, newStores, storeBackup } from "../maintenance/doctor/examined-stores.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { SettableClock } from "../support/settable-clock.ts";

const HOT_BACKUPS = 3;

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("a copy, while ciphertexts live for milliseconds,", () => {
    for (const [name, options] of [
      ["without blocking writes unless it must", {}],
      ["blocking writes from the start", { attemptsBeforeBlocking: 0 }],
    ] as const)
      test(`is sound, ${name}`, async () => {
        const storage = await newLocalStorage();
        await using stores = await newStores(async () => storage);
        for (let index = 0; index < 30; index++) await storeBackup(stores, `b${index}`);
        const parent = await mkdtemp(join(tmpdir(), "backup-service-"));
        const program = Bun.fileURLToPath(import.meta.resolve("./churn.ts"));
        const churn = Bun.spawn([process.execPath, program, storage.dataDir, `${HOT_BACKUPS}`], {
          stdin: "pipe",
          stdout: "pipe",
          stderr: "inherit",
        });
        try {
          await churn.stdout.getReader().read();
          for (let round = 0; round < 8; round++) {
            const target = join(parent, `copy ${round}`);
            await expectSoundCopy({ source: storage.dataDir, target, ...options });
          }
        } finally {
          churn.stdin.end();
        }
        expect(await churn.exited).toBe(0);
        await rm(parent, { recursive: true });
      });
  });

async function expectSoundCopy(options: CopyOptions): Promise<void> {
  const { lost } = await copyData(options);
  expect(lost).toEqual([]);
  const clock = new SettableClock(Date.now() + 2 * 60 * 60 * 1000); // so that no blob is too young to be found
  const dataDir = options.target;
  await using records = await openLocalRecords({ dataDir, clock: systemClock, random: systemRandom });
  await using blobs = await openLocalBlobs({ dataDir, random: systemRandom });
  const { findings, counts } = await examined({ records, blobs, clock }, { verify: true });
  expect(findings).toEqual([]);
  expect(counts).toMatchObject({ backups: 30, verifiedBlobs: 30, blobs: 30 });
}
