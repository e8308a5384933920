/** A process of its own that works on a data folder: `<folder> <name> <rounds>`; the tests start several. */
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { openLocalBlobs } from "../../src/storage/local/blobs.ts";
import { openLocalRecords } from "../../src/storage/local/records.ts";
import { main, record } from "./fixture.ts";

const [dataDir = "", name = "", rounds = "0"] = process.argv.slice(2);
const options = { dataDir, clock: systemClock, random: systemRandom };
const records = await openLocalRecords(options);
const blobs = await openLocalBlobs(options);

const won: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  const own = { backupId: `${name} ${round}`, expect: "absent", next: record(name) } as const;
  if ((await records.commit(own)) !== "committed") throw new Error("a backup of its own was refused");
  const blob = await blobs.put(name, [Buffer.from(`${name} ${round}`)]);
  const outcome = await records.commit({
    backupId: `shared ${round}`,
    expect: "absent",
    next: { blob, metadata: { name }, versions: [] },
    claim: [main(`factor ${round}`)],
    consume: [{ id: `nonce ${round}`, expiresAtMs: Date.now() + 60_000 }],
  });
  if (outcome === "committed") won.push(round);
}
await records[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(won));
