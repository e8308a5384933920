import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSweep } from "../../src/maintenance/sweep.ts";
import { systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { linesOf } from "../support/service-process.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const program = Bun.fileURLToPath(import.meta.resolve("./suspended-writer.ts"));
const HOURS_MS = 2 * 60 * 60 * 1000;

for (const driver of DRIVERS)
  for (const [name, isSuspended, outcome] of [
    ["commits to the ciphertext that it has just written", false, "committed"],
    [
      "that was stopped for hours does not commit to a ciphertext that was swept meanwhile",
      true,
      "NotCommitted",
    ],
  ] as const)
    test(`a process ${name} (${driver.name})`, async () => {
      await using storage = await driver.environment();
      await using folder = await temporaryFolder();
      const clock = new SettableClock(Date.now() + HOURS_MS);
      await using stores = await storage.open({ clock, random: systemRandom });
      const { records, blobs } = stores;
      const current = await blobs.put("b", [Buffer.from("y")]);
      await records.commit({
        backupId: "b",
        expect: "absent",
        next: { blob: current, metadata: {}, versions: [] },
      });

      const offsetFile = join(folder.path, "offset");
      await writeFile(offsetFile, "0");
      const writer = Bun.spawn([process.execPath, program, offsetFile], {
        env: { PATH: process.env.PATH ?? "", ...storage.env },
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
      });
      try {
        const output = linesOf(writer.stdout);
        expect((await output.next()).value).toBe("written");
        if (isSuspended) {
          writer.kill("SIGSTOP");
          const sweep = createSweep({ ...stores, clock, random: systemRandom, restores: async () => [] });
          await sweep();
          expect(await sweep()).toMatchObject({ unreferencedBlobs: 1, refusal: null });
          await writeFile(offsetFile, String(HOURS_MS));
          writer.kill("SIGCONT");
        }
        writer.stdin.write("go on\n");
        await writer.stdin.end();
        expect((await output.next()).value).toBe(outcome);
        const stored = await records.read("b");
        expect(stored?.blob.key === current.key).toBe(isSuspended);
        if (stored !== null) expect(await blobs.sizeOf(stored.blob.key)).toBe(stored.blob.size);
      } finally {
        writer.kill("SIGKILL");
        await writer.exited;
      }
    });
