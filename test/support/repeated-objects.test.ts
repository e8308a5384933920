import { expect, test } from "bun:test";

test("an object that is expected several times is compared each time", () => {
  const one = { x: 1 };
  expect(() => expect([{ x: 1 }, { x: 2 }]).toMatchObject([one, one])).toThrow();
  expect(() => expect({ a: [{ x: 1 }], b: { x: 2 } }).toMatchObject({ a: [one], b: one })).toThrow();
  expect([{ x: 1 }, { x: 1, y: 2 }]).toMatchObject([one, one]);
  expect([{ x: "ab" }, { x: "b" }]).toMatchObject([{ x: expect.stringMatching("b") }, { x: "b" }]);
});
