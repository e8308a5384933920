import { expect, test } from "bun:test";
import { systemRandom } from "../../src/runtime/clock.ts";
import { timeOrderedId } from "../../src/runtime/time-ordered-id.ts";

test("the id of RFC 9562, appendix A.6, has its time, version and variant", () => {
  const random = { ...systemRandom, uuid: () => "00000000-0000-4000-98c4-dc0c0c07398f" };
  expect(timeOrderedId(1_645_557_742_000, 0xcc3, random)).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

test("ids order by time, then by sequence, and no two are the same", () => {
  const ids = [0, 1, 1_700_000_000_000, 2 ** 48 - 1].flatMap((atMs) =>
    [0, 1, 15, 16, 4095].map((sequence) => timeOrderedId(atMs, sequence, systemRandom)),
  );
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(Array.from({ length: 100 }, () => timeOrderedId(5, 5, systemRandom))).size).toBe(100);
});

test("a time or sequence that does not fit is refused", () => {
  for (const [atMs, sequence] of [
    [-1, 0],
    [2 ** 48, 0],
    [0.5, 0],
    [0, 4096],
    [0, -1],
    [0, 1.5],
  ] as const)
    expect(() => timeOrderedId(atMs, sequence, systemRandom)).toThrow(RangeError);
});
