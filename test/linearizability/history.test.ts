/** What clients record of a service. Whether it is linearizable is for `bun run prove`, as the checker needs Go. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { PLANTED } from "../planted/planted-stores.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { late } from "../support/store-wrappers.ts";
import { internalErrors, overtakenByNone, replacedTooOften } from "./history.ts";
import { historiesInProcess } from "./linearizability.ts";

const OPERATIONS = [
  "create",
  "sync",
  "retrieve",
  "restore-version",
  "add-factor",
  "add-sync-factor",
  "delete-factor",
  "delete-backup",
  "undelete",
  "reset",
];
/** The rarest outcome shows in about every second round: only a broken build gets here. */
const ATTEMPTS = 40;
/** What is seen without the checker. */
const NOTICED = [
  ["compares no revision", "overwrites what is newer", replacedTooOften],
  ["finds changes overtaken that are not", "finds restorations overtaken", overtakenByNone],
] as const;
const LATE_ROUNDS = 3;
const LIMIT_MS = 600_000;

for (const driver of DRIVERS)
  describe(`histories of clients at one backup (${driver.name})`, () => {
    test(
      "have every operation that succeeds and that is refused, and no content is replaced twice",
      async () => {
        const random = pseudoRandom(1);
        const missing = new Set(OPERATIONS.flatMap((name) => [`${name}: ok`, `${name}: refused`]));
        for (let attempt = 0; attempt < ATTEMPTS && missing.size > 0; attempt++)
          for (const history of await historiesInProcess(driver, (stores) => stores, random)) {
            for (const { request, response } of history)
              missing.delete(`${request.operation}: ${response.outcome}`);
            expect(replacedTooOften(history)).toEqual([]);
            expect(overtakenByNone(history)).toEqual([]);
            expect(internalErrors(history)).toEqual([]);
          }
        expect([...missing]).toEqual([]);
      },
      LIMIT_MS,
    );

    test(
      "replace no content twice, though commits are made after their responses",
      async () => {
        const random = pseudoRandom(3);
        for (let round = 0; round < LATE_ROUNDS; round++) {
          const histories = await historiesInProcess(driver, (stores) => late(stores, random), random);
          expect(histories.flatMap(replacedTooOften)).toEqual([]);
          expect(histories.flatMap(overtakenByNone)).toEqual([]);
          expect(histories.flatMap(internalErrors)).toEqual([]);
          const outcomes = histories.flat().map(({ response }) => response.outcome);
          expect(outcomes).toContain("unknown");
        }
      },
      LIMIT_MS,
    );

    for (const [what, fault, wrongIn] of NOTICED)
      test(
        `show that a store ${what}`,
        async () => {
          const random = pseudoRandom(2);
          let found: readonly unknown[] = [];
          for (let attempt = 0; attempt < ATTEMPTS && found.length === 0; attempt++)
            found = (await historiesInProcess(driver, PLANTED[fault], random)).flatMap<unknown>(wrongIn);
          expect(found).not.toEqual([]);
        },
        LIMIT_MS,
      );
  });
