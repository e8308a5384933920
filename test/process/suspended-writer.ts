/**
 * A process that writes a ciphertext, prints `written`, and commits after a line on its standard input. The file in its
 * argument has the milliseconds that its clock is ahead.
 */
import { readFileSync } from "node:fs";
import { withNewBlob } from "../../src/backups/new-content.ts";
import { loadStorageConfig } from "../../src/config/storage.ts";
import { type Clock, systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { openStores } from "../../src/storage/open.ts";

const [offsetFile = ""] = process.argv.slice(2);
const clock: Clock = {
  nowMs: () => systemClock.nowMs() + Number(readFileSync(offsetFile, "utf8")),
  elapsedMs: () => systemClock.elapsedMs(),
};
const { records, blobs } = await openStores(
  loadStorageConfig(process.env),
  { clock, random: systemRandom },
  { serves: true },
);
const changes = { discard: ({ key }: { readonly key: string }) => blobs.delete(key) };

try {
  const current = await records.read("b");
  if (current === null) throw new Error("there is no record b");
  const { revision, metadata } = current;
  await withNewBlob(
    { records, blobs, clock, changes },
    "b",
    { content: [Buffer.from("x")], client: "192.0.2.1" },
    async (blob, commit) => {
      process.stdout.write("written\n");
      for await (const _line of console) break;
      return commit({ backupId: "b", expect: { revision }, next: { blob, metadata, versions: [] } });
    },
  );
  process.stdout.write("committed\n");
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.name : error}\n`);
}
process.exit();
