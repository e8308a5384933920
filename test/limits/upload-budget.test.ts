import { describe, expect, test } from "bun:test";
import { createUploadBudget } from "../../src/limits/upload-budget.ts";

const MIB = 1024 * 1024;
const unavailable = expect.objectContaining({ code: "service_unavailable" });

describe("the memory for uploads", () => {
  test("goes to whole uploads where the store holds them, and comes back", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: true });
    const first = budget.reserve(6 * MIB);
    expect(() => budget.reserve(6 * MIB)).toThrow(unavailable);
    budget.reserve(4 * MIB);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    budget.reserve(6 * MIB);
    expect(() => budget.reserve(1)).toThrow(unavailable);
  });

  test("goes to a few pieces of each upload where they are passed on", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: false });
    for (let n = 0; n < 5; n++) budget.reserve(15 * MIB);
    expect(() => budget.reserve(15 * MIB)).toThrow(unavailable);
  });

  test("is asked for more by an upload that has to be held for a while", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: false });
    const held = budget.reserve(9 * MIB);
    held.hold(4 * MIB);
    held.hold(2 * MIB);
    const other = budget.reserve(MIB);
    expect(() => other.hold(7 * MIB)).toThrow(unavailable);
    held[Symbol.dispose]();
    other.hold(7 * MIB);
  });
});
