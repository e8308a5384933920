import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService } from "../support/service.ts";
import { fuzzFields } from "./fields.ts";
import { WITHOUT_STRING_CONVERSION } from "./hostile-values.ts";
import { fuzzRaw } from "./raw.ts";

const SEED = 1;
const LIMIT_MS = 600_000;

for (const driver of DRIVERS)
  describe(`hostile input (${driver.name})`, () => {
    test(
      "in any member of any request is refused with an error body and changes nothing",
      async () => {
        const { failures, cases } = await fuzzFields(driver, {
          seed: SEED,
          requests: driver.name === "local" ? 5_000 : 1_000,
        });
        expect(failures).toEqual([]);
        expect(cases).toBeGreaterThanOrEqual(1_000);
      },
      LIMIT_MS,
    );

    if (driver.name === "local")
      test(
        "as broken HTTP is refused or disconnected and changes nothing",
        async () => {
          const { failures } = await fuzzRaw(driver, { seed: SEED, rounds: 8 });
          expect(failures).toEqual([]);
        },
        LIMIT_MS,
      );

    test("that cannot be converted to a string is refused where a string is expected", async () => {
      await using service = await startService(driver);
      const response = await fetch(`${service.url}/v1/backup/status`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: `{"backupId":${WITHOUT_STRING_CONVERSION}}`,
      });
      expect(response.status).toBe(422);
    });

    test("with a host of less than four letters reaches the route", async () => {
      await using service = await startService(driver);
      using connection = await openConnection(service.url);
      await connection.write(head("GET", "/health", { host: "a" }));
      expect((await connection.answer()).status).toBe(200);
    });
  });
