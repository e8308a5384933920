import { expect, test } from "bun:test";
import { atOnce, collect, create, openFixture, record } from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";

/** More than two pages of the list. */
const COLLECTIONS = 1_001;

const local = DRIVERS.find(({ name }) => name === "local");
if (local !== undefined)
  test("what is to be deleted is listed over more than one page", async () => {
    await using store = await openFixture(local.environment);
    const { records } = store;
    await atOnce(COLLECTIONS, (index) =>
      create(records, `b${index}`, { collect: { blobs: [record(`old ${index}`).blob], logIds: [] } }),
    );
    const listed = (await collect(records.listDeleted())).map(({ backupId }) => backupId);
    expect(listed).toHaveLength(COLLECTIONS);
    expect(new Set(listed).size).toBe(COLLECTIONS);
  });
