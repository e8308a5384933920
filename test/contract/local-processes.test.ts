import { expect, test } from "bun:test";
import { systemClock, systemRandom } from "../../src/runtime/clock.ts";
import { DRIVERS } from "../drivers.ts";
import { newLocalStorage } from "../support/local-storage.ts";
import { contentOf } from "./blobs.ts";
import { backupOf, collect, main } from "./fixture.ts";

const NAMES = ["a", "b", "c"];
const ROUNDS = 40;

if (DRIVERS.some((driver) => driver.name === "local"))
  test("several processes work on one folder: each round has one winner, and nothing is lost", async () => {
    await using storage = await newLocalStorage();
    const program = Bun.fileURLToPath(import.meta.resolve("./local-process.ts"));
    const wins = await Promise.all(
      NAMES.map(async (name): Promise<number[]> => {
        const child = Bun.spawn([process.execPath, program, storage.dataDir, name, `${ROUNDS}`], {
          stdout: "pipe",
          stderr: "inherit",
        });
        const output = await new Response(child.stdout).text();
        expect(await child.exited).toBe(0);
        return JSON.parse(output);
      }),
    );
    expect(wins.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: ROUNDS }, (_, round) => round));

    await using stores = await storage.open({ clock: systemClock, random: systemRandom });
    expect(await collect(stores.records.list())).toHaveLength(ROUNDS * (NAMES.length + 1));
    for (const [index, name] of NAMES.entries())
      for (const round of wins[index] ?? []) {
        const stored = await stores.records.read(`shared ${round}`);
        expect(stored?.metadata).toEqual({ name });
        expect(await backupOf(stores.records, main(`factor ${round}`))).toBe(`shared ${round}`);
        if (stored !== null) expect(`${await contentOf(stores.blobs, stored.blob)}`).toBe(`${name} ${round}`);
      }
  });
