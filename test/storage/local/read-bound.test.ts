/** An examination of the database does not keep SQLite from using its log again, however long it takes. */
import { expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openLocalRecords } from "../../../src/storage/local/records.ts";
import { create, openFixture, record, revisionOf } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { examined } from "../../maintenance/doctor/examined-stores.ts";

const MIB = 2 ** 20;
/** SQLite begins again at the start of the log when 1,000 pages of 4 KiB are in it; one commit may go beyond. */
const LOG_BOUND = 6 * MIB;

const local = DRIVERS.find(({ name }) => name === "local");
if (local !== undefined)
  test("the log stays small while a doctor runs and a service writes", async () => {
    await using service = await openFixture(local.environment);
    const dataDir = service.storage.env.DATA_DIR ?? "";
    const metadata = { id: "busy", text: "x".repeat(60_000) };
    await create(service.records, "busy", { next: record("busy", metadata) });
    for (let backup = 0; backup < 600; backup++) await create(service.records, `b${backup}`);
    // as another process has it
    const options = { dataDir, clock: service.clock, random: systemRandom };
    await using records = await openLocalRecords(options);

    let written = 0;
    let largest = 0;
    const write = async () => {
      const expectation = { revision: await revisionOf(service.records, "busy") };
      const next = record("busy", metadata);
      expect(await service.records.commit({ backupId: "busy", expect: expectation, next })).toBe("committed");
      written += metadata.text.length;
      largest = Math.max(largest, (await stat(join(dataDir, "records.sqlite-wal"))).size);
    };
    let writes = Promise.resolve();
    const pace = () => (writes = writes.then(write)); // one after the other
    await examined({ records, blobs: service.blobs, clock: service.clock }, { pace });
    expect(written).toBeGreaterThan(30 * MIB);
    expect(largest).toBeLessThan(LOG_BOUND);
  });
