/**
 * Two apps in one process are two services: what is made in one is unknown in the other, and the same factors and ids may
 * be used in both.
 */
import { describe, expect, test } from "bun:test";
import { DRIVERS } from "../drivers.ts";
import { factorApps } from "../support/apps.ts";
import { createPayloadOf, recoveredBy } from "../support/factors.ts";
import { solved } from "../support/users.ts";
import { type Attempt, newAttempt } from "./factors.ts";
import { authorisations } from "./matrix.ts";
import { begin } from "./requests.ts";
import { outcomeOf, outcomesOf } from "./runner.ts";
import { type Case, type Condition, MATRIX } from "./table.ts";

const DIRECTIONS = [
  ["first", "second"],
  ["second", "first"],
] as const;

for (const driver of DRIVERS) {
  describe(`who may do what in an app with a scope (${driver.name})`, () => {
    const { app, issuer } = factorApps(driver);
    authorisations(() => app("second"), issuer);
  });

  describe(`what is of another app (${driver.name})`, () => {
    const { app, issuer } = factorApps(driver);

    for (const [home, abroad] of DIRECTIONS)
      for (const { row, factor: name, cases } of MATRIX)
        test(`of ${home} is unknown in ${abroad}: ${name} in ${row.name}`, async () => {
          const expectedOf = (condition: Condition) => caseOf(cases, condition).expected;
          const attempt = await newAttempt(app(home), issuer, row, name);
          const registers = row.theirs === null;
          const there: Attempt = registers
            ? { ...(await newAttempt(app(abroad), issuer, row, name)), factor: attempt.factor }
            : { ...attempt, service: app(abroad) };

          // a challenge token of another app is as one of another service
          const here = await begin(attempt, attempt.factor);
          const begun = await begin(there, attempt.factor);
          const proof = { ...here.solve(here.challenge), challengeToken: here.token };
          const sent = registers ? { ...begun.solve(here.challenge), challengeToken: here.token } : proof;
          expect(outcomeOf(await begun.send(sent))).toEqual(expectedOf("expired"));

          if (registers) {
            // a factor of another app is as one that is on no backup
            const valid = [caseOf(cases, "valid"), caseOf(cases, "replay")];
            const expected = valid.map(({ condition, context, expected: outcome }) => [
              condition,
              context,
              ...outcome,
            ]);
            expect(await outcomesOf(attempt, valid)).toEqual(expected);
            expect(await outcomesOf(there, valid)).toEqual(expected);
            return;
          }
          const asUnknown = { ...begun.solve(begun.challenge), challengeToken: begun.token };
          expect(outcomeOf(await begun.send(asUnknown))).toEqual(expectedOf("on no backup"));

          // what was refused there has consumed nothing here
          expect(outcomeOf(await here.send(proof))).toEqual(expectedOf("valid"));
          expect(outcomeOf(await here.send(proof))).toEqual(expectedOf("replay"));
        });

    for (const [home, abroad] of DIRECTIONS)
      test.each(["passkey", "GOOGLE", "APPLE", "keypair"] as const)(
        `the same user with the same %s has two backups, in ${home} and ${abroad}`,
        async (kind) => {
          const attempt = await newAttempt(app(home), issuer, RETRIEVE, NAMES[kind]);
          const user = attempt.user;
          const other = {
            ...user,
            backup: Buffer.from(`ciphertext of ${abroad}`),
            manifestHash: "ab".repeat(32),
          };
          const client = app(abroad).client;
          expect((await client.backupStatus({ backupId: attempt.ids.backupId })).status).toBe(404);
          (await client.create(await createPayloadOf(client, other), other.backup)).ok();
          const [ofHome, ofAbroad] = [
            await recoveredBy(app(home).client, user.main),
            await recoveredBy(client, user.main),
          ];
          expect(ofAbroad.metadata.manifestHash).toBe(other.manifestHash);
          expect(Buffer.from(ofAbroad.backup, "base64")).toEqual(other.backup);
          expect(Buffer.from(ofHome.backup, "base64")).not.toEqual(other.backup);

          // each goes without the other
          (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
          expect((await client.backupStatus({ backupId: attempt.ids.backupId })).status).toBe(404);
          expect(Buffer.from((await recoveredBy(app(home).client, user.main)).backup, "base64")).toEqual(
            Buffer.from(ofHome.backup, "base64"),
          );
        },
      );
  });
}

const RETRIEVE = {
  name: "retrieve",
  context: "retrieve",
  scope: "MAIN",
  success: 200,
  theirs: "done",
} as const;
const NAMES = { passkey: "PASSKEY", GOOGLE: "GOOGLE", APPLE: "APPLE", keypair: "KEYPAIR" } as const;

function caseOf(cases: readonly Case[], condition: Condition): Case {
  const found = cases.find((one) => one.condition === condition);
  if (found === undefined) throw new Error(`there is no case "${condition}"`);
  return found;
}
