import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  droppedBlobs,
  prunedVersions,
  requireVersion,
  type VersionPolicy,
  withContent,
} from "../../src/backups/history.ts";
import type { BackupMetadata } from "../../src/backups/model.ts";
import type { StoredVersion } from "../../src/storage/contract.ts";
import { codeOf } from "../support/error-of.ts";

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

const blobOf = (key: string) => ({ key, size: 1, sha256: "00" });
const versionOf = (versionId: string, createdAtMs: number): StoredVersion => {
  return { versionId, manifestHash: "00", createdAtMs, replacedAtMs: createdAtMs, blob: blobOf(versionId) };
};

test("of two contents of one instant the newer one is the last of its day", () => {
  const { kept } = prunedVersions([versionOf("newer", 1), versionOf("older", 1)], DAY_MS, {
    keepLast: 0,
    keepDays: 1,
  });
  expect(idsOf(kept)).toEqual(["newer"]);
});

describe("a content that is replaced", () => {
  const metadata: BackupMetadata = {
    ...{ id: "b", manifestHash: "aa", keys: [], syncFactors: [], contentAtMs: 30 },
    factors: [{ id: "1", createdAt: 4, kind: { kind: "EC_KEYPAIR", publicKey: "main" } }],
  };
  const current = {
    ...{ backupId: "b", revision: "r", changedAtMs: 20, metadata },
    ...{ blob: blobOf("current"), versions: [versionOf("v2", 2), versionOf("v1", 1)] },
  };
  const replacedBy = (key: string, of: Parameters<typeof withContent>[0] = current) =>
    withContent(
      of,
      { blob: blobOf(key), storedAtMs: 40 },
      { keepLast: 9, keepDays: 0 },
      {
        ...{ versionId: "v3", nowMs: 50 },
      },
    );

  test("is the newest version, with its manifest hash and both times", () => {
    expect(replacedBy("new")).toEqual({
      blob: blobOf("new"),
      versions: [
        {
          ...{ versionId: "v3", manifestHash: "aa", createdAtMs: 30, replacedAtMs: 50 },
          blob: blobOf("current"),
        },
        ...current.versions,
      ],
    });
  });

  test("changes places with a version that is restored", () => {
    const { blob, versions } = replacedBy("v2");
    expect({ blob, versions: idsOf(versions) }).toEqual({ blob: blobOf("v2"), versions: ["v3", "v1"] });
  });

  test("of an earlier release has the time of the last change, or of the first factor", () => {
    const { contentAtMs: _, ...earlier } = metadata;
    const createdAtMs = (of: Partial<typeof current>, more: Partial<BackupMetadata> = {}) =>
      replacedBy("new", { ...current, ...of, metadata: { ...earlier, ...more } }).versions[0]?.createdAtMs;
    expect(createdAtMs({})).toBe(20);
    const unknown = replacedBy("new", { ...current, changedAtMs: null, metadata: earlier });
    expect(unknown.versions[0]?.createdAtMs).toBe(4_000);
    expect(createdAtMs({ changedAtMs: 0 }, { factors: [] })).toBe(0);
  });

  test("is found by the id of its version", async () => {
    expect(requireVersion(current, "v1")).toEqual(versionOf("v1", 1));
    expect(await codeOf(() => requireVersion(current, "v3"))).toBe("version_not_found");
  });

  test("is dropped if it is no version afterwards", () => {
    const after = { blob: blobOf("v2"), versions: [versionOf("v1", 1)] };
    expect(droppedBlobs(current, after)).toEqual([blobOf("current")]);
    expect(droppedBlobs(current, current)).toEqual([]);
  });
});
