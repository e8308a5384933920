import { describe, expect, test } from "bun:test";
import { createUploadBudget } from "../../src/limits/upload-budget.ts";

const MIB = 1024 * 1024;
const unavailable = expect.objectContaining({ code: "service_unavailable" });

describe("the memory for uploads", () => {
  test("goes to whole uploads where the store holds them, and comes back", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: true });
    const first = budget.admit(6 * MIB);
    first.arrived(6 * MIB, 0);
    expect(() => budget.admit(6 * MIB)).toThrow(unavailable);
    budget.admit(4 * MIB).arrived(4 * MIB, 0);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(budget.heldBytes).toBe(4 * MIB);
    budget.admit(6 * MIB).arrived(6 * MIB, 0);
    expect(() => budget.admit(1)).toThrow(unavailable);
  });

  test("goes to a few pieces of each upload where they are passed on", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: false });
    for (let n = 0; n < 5; n++) budget.admit(15 * MIB).arrived(15 * MIB, 0);
    expect(budget.heldBytes).toBe(10 * MIB);
    expect(() => budget.admit(15 * MIB)).toThrow(unavailable);
  });

  test("is not taken by what was announced and does not come", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: true });
    for (let n = 0; n < 100; n++) budget.admit(9 * MIB).arrived(5, 0);
    expect(budget.heldBytes).toBe(500);
    budget.admit(9 * MIB).arrived(9 * MIB, 0);
  });

  test("is asked for more by an upload that has to wait for its payload", () => {
    const budget = createUploadBudget({ maxBytes: 10 * MIB, isHeldWhole: false });
    const waiting = budget.admit(9 * MIB);
    waiting.arrived(4 * MIB, 4 * MIB);
    waiting.arrived(5 * MIB, 2 * MIB);
    expect(budget.heldBytes).toBe(4 * MIB);
    const other = budget.admit(MIB);
    expect(() => other.arrived(7 * MIB, 7 * MIB)).toThrow(unavailable);
    waiting[Symbol.dispose]();
    other.arrived(7 * MIB, 7 * MIB);
  });
});
