import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemRandom } from "../../../src/runtime/clock.ts";
import { openLocalRecords } from "../../../src/storage/local/records.ts";
import {
  backupOf,
  create,
  deletedOf,
  event,
  eventsOf,
  kept,
  main,
  record,
  shown,
  version,
} from "../../contract/fixture.ts";
import { DRIVERS } from "../../drivers.ts";
import { toEarlierSchema } from "../../support/earlier-schema.ts";
import { newLocalStorage } from "../../support/local-storage.ts";
import { SettableClock } from "../../support/settable-clock.ts";

if (DRIVERS.some((driver) => driver.name === "local"))
  describe("a database of an earlier version of the service", () => {
    for (const schema of [1, 2] as const)
      test(`with ${schema} of the steps gets the others, and keeps what is in it`, async () => {
        await using storage = await newLocalStorage();
        const clock = new SettableClock();
        const open = () => openLocalRecords({ dataDir: storage.dataDir, clock, random: systemRandom });
        const before = await open();
        const revision = await create(before, "b1", { claim: [main("f1")] });
        await before[Symbol.asyncDispose]();
        const schemaOf = () => {
          using database = new Database(join(storage.dataDir, "records.sqlite"), { readonly: true });
          return database.query("SELECT name, sql FROM sqlite_schema ORDER BY name").all();
        };
        const current = schemaOf();
        toEarlierSchema(storage.dataDir, schema);
        expect(schemaOf()).not.toEqual(current);

        await using records = await open();
        expect(schemaOf()).toEqual(current);
        const changedAtMs = clock.nowMs();
        expect(await records.read("b1")).toEqual({ ...record("b1"), revision, changedAtMs });
        expect(await backupOf(records, main("f1"))).toBe("b1");
        expect(await deletedOf(records, "b1")).toEqual([]);
        const next = { ...record("b1"), versions: [version("v")] };
        const events = [event("log", clock)];
        await records.commit({ backupId: "b1", expect: { revision }, next, events });
        const stored = await records.read("b1");
        expect(stored?.versions).toEqual(next.versions);
        expect(await eventsOf(records, "log")).toEqual(events.map(shown));
        const setAside = kept("b1", clock);
        await records.commit({
          backupId: "b1",
          expect: { revision: stored?.revision ?? "" },
          next: null,
          setAside,
        });
        expect(await deletedOf(records, "b1")).toEqual([setAside]);
      });
  });
