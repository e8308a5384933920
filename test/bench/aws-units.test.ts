import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemRandom } from "../../src/runtime/clock.ts";
import { openAwsRecords } from "../../src/storage/aws/records.ts";
import { create, once, record, token } from "../contract/fixture.ts";
import { DRIVERS } from "../drivers.ts";
import { newAwsStorage } from "../support/aws-storage.ts";
import { SettableClock } from "../support/settable-clock.ts";
import { measureAwsUnits, readmeRow } from "./aws-units.ts";
import { startUnitCounter } from "./unit-counter.ts";

const aws = DRIVERS.find((driver) => driver.name === "aws");
if (aws !== undefined)
  describe("what AWS charges", () => {
    test("is what README.md says", async () => {
      const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();
      const [, table = ""] = /\| USD a million \|\n\|[-|]+\|\n((?:\|.*\n)+)/.exec(readme) ?? [];
      const rows = (await measureAwsUnits(aws)).map(readmeRow);
      expect(table.trimEnd().split("\n")).toEqual(rows);
    });

    test("is counted by the size of items, twice in a transaction, also for what is not there", async () => {
      await using storage = await newAwsStorage();
      await using counter = startUnitCounter(storage.config.dynamoDbEndpoint ?? "");
      const clock = new SettableClock();
      const config = { ...storage.config, dynamoDbEndpoint: counter.url };
      await using records = await openAwsRecords(config, { clock, random: systemRandom });
      const large = record("large", { filling: "x".repeat(4_500) });
      const counted: unknown[] = [];
      for (const act of [
        () => records.read("b1"),
        () => records.isConsumed([once("n1", clock), once("n2", clock)]),
        () => records.consume([once("n1", clock)]),
        () => records.consume([once("n2", clock)], token("t1", "b1", clock)),
        () => records.isConsumed([once("n1", clock), once("n3", clock)]),
        () => create(records, "b1", { next: large }),
        () => records.addToCounter("c1", 1, clock.nowMs()),
        async () => {
          const revision = (await records.read("b1"))?.revision ?? "";
          await records.commit({ backupId: "b1", expect: { revision }, next: null });
        },
      ]) {
        const before = counter.counted();
        await act();
        const after = counter.counted();
        counted.push([after.calls - before.calls, after.reads - before.reads, after.writes - before.writes]);
      }
      expect(counted).toEqual([
        [1, 1, 0],
        [1, 2, 0],
        [1, 0, 1],
        [1, 0, 4],
        [1, 2, 0],
        [2, 2, 10], // the revision is read afterwards
        [1, 0, 1],
        [2, 2, 10],
      ]);
    });
  });
