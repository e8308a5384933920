import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { factorService } from "../support/factors.ts";
import { authorisations } from "./matrix.ts";
import { CONDITIONS, CONTEXTS, FACTORS, MATRIX, OPERATIONS } from "./table.ts";

const CASES = MATRIX.flatMap(({ cases }) => cases);

describe("the table of authorisations", () => {
  test(`has ${CASES.length} cases of ${MATRIX.length} factors in operations, and misses nothing`, () => {
    const missing = CONTEXTS.filter((context) => !OPERATIONS.some((row) => row.context === context));
    expect(missing).toEqual(["reset", "backup-account"]); // by the account key: account-key.test.ts, routes/create-account-proof.test.ts
    expect(new Set(CASES.map(({ condition }) => condition))).toEqual(new Set(CONDITIONS));
    expect(MATRIX.length).toBe(OPERATIONS.length * (FACTORS.length - 1) + 1);
  });
});

for (const driver of DRIVERS)
  describe(`who may do what (${driver.name})`, () => {
    const { service, issuer } = factorService(driver);
    authorisations(service, issuer);
  });
