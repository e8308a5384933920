import { expect, test } from "bun:test";
import type { OidcIssuer } from "../support/oidc-issuer.ts";
import type { TestService } from "../support/service.ts";
import { newAttempt } from "./factors.ts";
import { outcomesOf } from "./runner.ts";
import { MATRIX } from "./table.ts";

/** Tries every case of the table on a service. */
export function authorisations(service: () => TestService, issuer: OidcIssuer): void {
  for (const { row, factor, cases } of MATRIX)
    test(`${factor} in ${row.name}: ${cases.length} cases`, async () => {
      const attempt = await newAttempt(service(), issuer, row, factor);
      const outcomes = await outcomesOf(attempt, cases);
      expect(outcomes).toEqual(
        cases.map(({ condition, context, expected }) => [condition, context, ...expected]),
      );
    });
}
