/** A process that replaces the content of a few backups as fast as it can, until its input ends: `<folder> <backups>`. */
import { randomBytes } from "node:crypto";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";

const [dataDir = "", backups = "1"] = process.argv.slice(2);
const records = await openLocalRecords({ dataDir, clock: systemClock, random: systemRandom });
const blobs = await openLocalBlobs({ dataDir, random: systemRandom });

let ended = false;
const input = (async () => {
  for await (const _chunk of process.stdin);
  ended = true;
})();
for (let round = 0; !ended; round++) {
  const backupId = `b${round % Number(backups)}`;
  const stored = await records.read(backupId);
  if (stored === null) throw new Error(`${backupId} is not stored`);
  const { revision, metadata, versions, blob: old } = stored;
  const blob = await blobs.put(backupId, [randomBytes(2_000)]);
  const outcome = await records.commit({
    backupId,
    expect: { revision },
    next: { blob, metadata, versions },
  });
  if (outcome !== "committed") throw new Error(`${backupId} was not replaced: ${outcome}`);
  await blobs.delete(old.key);
  if (round === 0) process.stdout.write("started\n");
}
await input;
await records[Symbol.asyncDispose]();
