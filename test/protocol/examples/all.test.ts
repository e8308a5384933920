import { describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { allExamples } from "../../../src/protocol/examples/all.ts";
import { allOperations } from "../../../src/protocol/operations.ts";

describe("the examples of the API reference", () => {
  test("are one of each operation", () => {
    const named = ({ method, path }: { readonly method: string; readonly path: string }) =>
      `${method} ${path}`;
    expect(allExamples.map(named).toSorted()).toEqual(allOperations.map(named).toSorted());
  });

  for (const { method, path, request, backup, status, response } of allExamples)
    test(`fit the description of ${method} ${path}`, () => {
      const operation = allOperations.find((other) => other.path === path);
      expect(faults(operation?.request, request)).toEqual([]);
      expect(faults(operation?.response, response)).toEqual([]);
      expect(backup !== undefined).toBe(operation?.isUpload === true);
      expect(status).toBe(response === null ? 204 : 200);
    });
});

/** Where a JSON text does not fit a schema; both or neither must be there. */
function faults(schema: TSchema | null | undefined, text: string | null): string[] {
  if (schema === null && text === null) return [];
  if (schema == null || text === null) return ["one of schema and text is missing"];
  return [...Value.Errors(schema, JSON.parse(text))].map(({ path, message }) => `${path}: ${message}`);
}
