import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { runAdoptionKills } from "./adoption-kills.ts";
import { runImportKills } from "./import-kills.ts";

const SIZE = { kills: 8, users: 40, seed: 20_261_126 };

for (const driver of DRIVERS)
  describe(`what moves users in and is killed again and again, on ${driver.name}`, () => {
    test("an import is finished by the next one", async () => {
      const { failures, notes } = await runImportKills(driver, SIZE);
      expect(failures).toEqual([]);
      expect(notes?.["kills before the end"]).toBeGreaterThan(SIZE.kills / 2);
    });

    test("a service that adopts is finished by the next one", async () => {
      const { failures, notes } = await runAdoptionKills(driver, SIZE);
      expect(failures).toEqual([]);
      expect(notes?.["kills that hit requests"]).toBeGreaterThan(SIZE.kills / 2);
    });
  });
