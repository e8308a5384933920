import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { prunedVersions, type VersionPolicy } from "../../src/backups/history.ts";
import type { StoredVersion } from "../../src/storage/contract.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;
const POLICY = { keepLast: 2, keepDays: 7 };

/** The versions of a backup that stored a content at each of these times, the last of which is current. */
function storedAt(times: readonly number[], policy: VersionPolicy): readonly StoredVersion[] {
  let versions: readonly StoredVersion[] = [];
  for (const [index, replacedAtMs] of times.entries()) {
    const createdAtMs = times[index - 1];
    if (createdAtMs === undefined) continue;
    const versionId = `${index - 1}`;
    const blob = { key: versionId, size: 1, sha256: "00" };
    const replaced = { versionId, manifestHash: "00", createdAtMs, replacedAtMs, blob };
    versions = prunedVersions([replaced, ...versions], replacedAtMs, policy).kept;
  }
  return versions;
}

const idsOf = (versions: readonly StoredVersion[]) => versions.map(({ versionId }) => versionId);
const dayOf = (ms: number) => Math.floor(ms / DAY_MS);

const policies = fc.record({ keepLast: fc.nat(4), keepDays: fc.nat(8) });
const pauses = fc.oneof(fc.nat(HOUR_MS), fc.nat(3 * DAY_MS));
const growing = fc.array(pauses, { maxLength: 60 }).map((steps) => {
  let now = 0;
  return steps.map((step) => (now += step));
});

describe("the versions of a backup", () => {
  test("are the last contents, and the last of each day with changes", () => {
    const hours = [0, 1, 2, 24, 25, 48, 49, 50, 51];
    const versions = storedAt(
      hours.map((hour) => hour * HOUR_MS),
      POLICY,
    );
    expect(idsOf(versions)).toEqual(["7", "6", "4", "2"]);
  });

  test("include yesterday's state after a hundred updates today", () => {
    const good = 5 * DAY_MS;
    const today = Array.from({ length: 100 }, (_, update) => good + DAY_MS + update);
    expect(idsOf(storedAt([good, ...today], POLICY))).toContain("0");
  });

  test("include months of a backup that changes once a month", () => {
    const months = Array.from({ length: 20 }, (_, month) => month * 30 * DAY_MS);
    expect(storedAt(months, POLICY)).toHaveLength(7);
  });

  test("include the last content of a day also after an earlier one of it was restored", () => {
    const of = (versionId: string, hour: number) => {
      const blob = { key: versionId, size: 1, sha256: "00" };
      return { versionId, manifestHash: "00", createdAtMs: hour * HOUR_MS, replacedAtMs: 30 * HOUR_MS, blob };
    };
    const [noon, evening] = [of("noon", 12), of("evening", 18)];
    const policy = { keepLast: 0, keepDays: 1 };
    expect(prunedVersions([evening], noon.createdAtMs, policy).kept).toEqual([evening]);
    expect(prunedVersions([noon, evening], 30 * HOUR_MS, policy).kept).toEqual([evening]);
    expect(prunedVersions([noon], evening.createdAtMs, policy).kept).toEqual([]);
  });

  test("are none where none are to be kept", () => {
    expect(storedAt([1, 2, 3], { keepLast: 0, keepDays: 0 })).toEqual([]);
  });

  test("are never more than the policy allows, also with a clock that goes back", () => {
    const times = fc.array(fc.nat(40 * DAY_MS), { maxLength: 60 });
    fc.assert(
      fc.property(times, policies, (times, policy) => {
        expect(storedAt(times, policy).length).toBeLessThanOrEqual(policy.keepLast + policy.keepDays);
      }),
    );
  });

  test("include the newest, and the last content of each of the newest days before the current content's", () => {
    fc.assert(
      fc.property(growing, policies, (times, policy) => {
        const earlier = times.slice(0, -1).map((at, index) => ({ id: `${index}`, day: dayOf(at) }));
        const currentDay = dayOf(times.at(-1) ?? 0);
        const lastOfDays = new Map(earlier.map(({ id, day }) => [day, id]));
        lastOfDays.delete(currentDay);
        const expected = new Set([
          ...earlier.slice(earlier.length - Math.min(policy.keepLast, earlier.length)).map(({ id }) => id),
          ...[...lastOfDays.values()].slice(Math.max(0, lastOfDays.size - policy.keepDays)),
        ]);
        expect(new Set(idsOf(storedAt(times, policy)))).toEqual(expected);
      }),
    );
  });

  test("stay in the order of their replacements, and none is kept and pruned", () => {
    const versions = fc.array(
      fc.record({ createdAtMs: fc.nat(40 * DAY_MS), replacedAtMs: fc.nat(40 * DAY_MS) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(versions, fc.nat(40 * DAY_MS), policies, (times, nowMs, policy) => {
        const all = times.map((at, index) => ({
          ...at,
          versionId: `${index}`,
          manifestHash: "00",
          blob: { key: `${index}`, size: 1, sha256: "00" },
        }));
        const { kept, pruned } = prunedVersions(all, nowMs, policy);
        const inOrder = [...kept, ...pruned].toSorted((a, b) => Number(a.versionId) - Number(b.versionId));
        expect(inOrder).toEqual(all);
        expect(kept).toEqual(all.filter((version) => kept.includes(version)));
      }),
    );
  });
});
