/** What clients record of a service. Whether it is linearizable is for `bun run prove`, as the checker needs Go. */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { pseudoRandom } from "../support/pseudo-random.ts";
import { replacedTooOften } from "./history.ts";
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
const LIMIT_MS = 600_000;

for (const driver of DRIVERS)
  describe(`histories of clients at one backup (${driver.name})`, () => {
    test(
      "have every operation that succeeds and that is refused, and no content is replaced twice",
      async () => {
        const random = pseudoRandom(1);
        const missing = new Set(OPERATIONS.flatMap((name) => [`${name}: ok`, `${name}: refused`]));
        for (let attempt = 0; attempt < ATTEMPTS && missing.size > 0; attempt++)
          for (const history of await historiesInProcess(driver, null, random)) {
            for (const { request, response } of history)
              missing.delete(`${request.operation}: ${response.outcome}`);
            expect(replacedTooOften(history)).toEqual([]);
          }
        expect([...missing]).toEqual([]);
      },
      LIMIT_MS,
    );

    test(
      "show that a store compares no revision",
      async () => {
        const random = pseudoRandom(2);
        let found: readonly string[] = [];
        for (let attempt = 0; attempt < ATTEMPTS && found.length === 0; attempt++)
          found = (await historiesInProcess(driver, "overwrites what is newer", random)).flatMap(
            replacedTooOften,
          );
        expect(found).not.toEqual([]);
      },
      LIMIT_MS,
    );
  });
