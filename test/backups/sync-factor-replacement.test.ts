import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { withLastUse } from "../../src/backups/last-use.ts";
import { type BackupMetadata, factorRef, type SyncFactor } from "../../src/backups/model.ts";
import { syncFactorToReplace, withReplacement } from "../../src/backups/sync-factor-replacement.ts";
import { codeOf } from "../support/error-of.ts";

const NOW_MS = 1_768_478_400_000;

const keypair = (id: string, more: Partial<SyncFactor> = {}): SyncFactor => ({
  id,
  createdAt: 1,
  kind: { kind: "EC_KEYPAIR", publicKey: `key of ${id}` },
  ...more,
});

function metadata(syncFactors: SyncFactor[]): BackupMetadata {
  return { id: "b", manifestHash: "aa", keys: [], factors: [keypair("m")], syncFactors };
}

describe("the sync factor to replace", () => {
  const [a, b] = [keypair("a"), keypair("b")];
  const asked = { id: "a", challengedAtMs: NOW_MS };

  test("is the one with the id, among the sync factors", () => {
    const current = metadata([a, b]);
    expect(syncFactorToReplace(current, current, asked)).toBe(a);
    for (const id of [null, "", "m", "c"])
      expect(syncFactorToReplace(current, current, { ...asked, id })).toBeNull();
  });

  test("is a conflict where it went while the request ran, for whatever reason", async () => {
    expect(await codeOf(() => syncFactorToReplace(metadata([a, b]), metadata([b]), asked))).toBe(
      "conflicting_lock",
    );
  });

  test("is a conflict where it was replaced since the challenge was asked for, and unknown later", async () => {
    for (const [atMs, code] of [
      [NOW_MS - 1, null],
      [NOW_MS, "conflicting_lock"],
      [NOW_MS + 1, "conflicting_lock"],
    ] as const) {
      const current = metadata([keypair("b", { replaced: { id: "a", atMs } })]);
      if (code === null) expect(syncFactorToReplace(current, current, asked)).toBeNull();
      else expect(await codeOf(() => syncFactorToReplace(current, current, asked))).toBe(code);
    }
  });
});

describe("in the metadata", () => {
  const some = fc
    .uniqueArray(fc.nat(40), { minLength: 1, maxLength: 30 })
    .chain((ids) => fc.tuple(fc.constant(ids.map((id) => keypair(`f${id}`))), fc.nat(ids.length - 1)));

  test("a replacement takes one factor off and adds one behind, however many there are, and keeps all else", () => {
    fc.assert(
      fc.property(some, ([syncFactors, at]) => {
        const before = Object.freeze({ ...metadata(syncFactors), more: [1] });
        const replaced = syncFactors[at] ?? keypair("none");
        expect(withReplacement(before, keypair("new"), replaced, NOW_MS)).toEqual({
          ...before,
          syncFactors: [
            ...syncFactors.filter((factor) => factor !== replaced),
            keypair("new", { replaced: { id: replaced.id, atMs: NOW_MS } }),
          ],
        });
      }),
    );
  });

  test("a replacement by a factor of either scope is refused", async () => {
    const before = metadata([keypair("a"), keypair("b")]);
    for (const id of ["a", "b", "m"])
      expect(
        await codeOf(() => withReplacement(before, { ...keypair(id), id: "new" }, keypair("a"), NOW_MS)),
      ).toBe("factor_already_exists");
  });

  test("the last use is kept of the factor that was used, and of no other, once a day", () => {
    const day = 24 * 60 * 60;
    const nowS = NOW_MS / 1000;
    fc.assert(
      fc.property(some, fc.integer({ min: -2 * day, max: 2 * day }), ([syncFactors, at], ageS) => {
        const used = syncFactors[at] ?? keypair("none");
        const lastUsedAt = nowS - ageS;
        const before = metadata(
          syncFactors.map((factor) => (factor === used ? { ...factor, lastUsedAt } : factor)),
        );
        const after = withLastUse(before, factorRef("SYNC", used), NOW_MS);
        if (Math.abs(ageS) < day) expect(after).toBe(before);
        else
          expect(after).toEqual(
            metadata(
              syncFactors.map((factor) => (factor === used ? { ...factor, lastUsedAt: nowS } : factor)),
            ),
          );
        expect(withLastUse(before, factorRef("MAIN", used), NOW_MS)).toBe(before);
        expect(withLastUse(before, factorRef("SYNC", keypair("gone")), NOW_MS)).toBe(before);
      }),
    );
  });
});
