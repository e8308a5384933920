import { describe, expect, test } from "bun:test";
import { createUploadBudget } from "../../src/limits/upload-budget.ts";

const MIB = 1024 * 1024;
const unavailable = expect.objectContaining({ code: "service_unavailable" });

describe("the memory for uploads", () => {
  test("goes to a few pieces of each upload, and comes back", () => {
    const budget = createUploadBudget(20 * MIB);
    const uploads = Array.from({ length: 5 }, () => budget.admit(15 * MIB));
    for (const upload of uploads) upload.arrived(15 * MIB, 0);
    expect(budget.heldBytes).toBe(20 * MIB);
    expect(() => budget.admit(15 * MIB)).toThrow(unavailable);
    expect(() => budget.admit(1)).toThrow(unavailable);
    for (let time = 0; time < 2; time++) uploads[0]?.[Symbol.dispose]();
    expect(budget.heldBytes).toBe(16 * MIB);
    budget.admit(15 * MIB).arrived(15 * MIB, 0);
    expect(() => budget.admit(1)).toThrow(unavailable);
  });

  test("is not taken by what was announced and does not come", () => {
    const budget = createUploadBudget(10 * MIB);
    for (let n = 0; n < 100; n++) budget.admit(9 * MIB).arrived(5, 0);
    expect(budget.heldBytes).toBe(500);
    budget.admit(9 * MIB).arrived(9 * MIB, 0);
    expect(budget.heldBytes).toBe(4 * MIB + 500);
  });

  test("is asked for more by an upload that has to wait for its payload", () => {
    const budget = createUploadBudget(10 * MIB);
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
