import { describe, expect, test } from "bun:test";
import { ambiguityIn } from "../../../src/backups/legacy/strict-json.ts";

const TWICE = "has a member twice";
const DEEP = "is nested too deeply";
const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;

describe("JSON that is read alike everywhere", () => {
  test("has no member twice in one object, however its name is written", () => {
    for (const [text, ambiguity] of [
      ['{"a":1,"a":2}', TWICE],
      ['{"a":1,"\\u0061":2}', TWICE],
      ['{"a":{"b":1},"a":2}', TWICE],
      ['{"a":[1,{"b":1}],"c":0,"a":2}', TWICE],
      ['[{"a":1,"b":[],"a":2}]', TWICE],
      ['{"a\\"":1,"a\\"":2}', TWICE],
      ['{"":1,"":2}', TWICE],
      ['{"a":1,"b":"a","c":"a"}', null],
      ['{"a":["a","a"],"b":{"a":1}}', null],
      ['[{"a":1},{"a":2},"a","a"]', null],
      ['{"a":"{\\"a\\":1,","b":"\\\\","c":"]}"}', null],
      ['{"a":"b","b":"a"}', null],
      ['["a","a"]', null],
      ['"a"', null],
      ["1", null],
    ] as const) {
      JSON.parse(text);
      expect({ text, ambiguity: ambiguityIn(text) }).toEqual({ text, ambiguity });
    }
  });

  test("is nested to a depth of 128 at most, in objects and arrays", () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      expect(ambiguityIn(nested(128, open, close))).toBeNull();
      expect(ambiguityIn(nested(129, open, close))).toBe(DEEP);
      expect(
        ambiguityIn(
          `[${Array(200)
            .fill(nested(1, open, close))
            .join()}]`,
        ),
      ).toBeNull();
    }
  });
});
