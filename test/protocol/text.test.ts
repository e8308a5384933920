import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { boundedJson, boundedText, characters, storedText } from "../../src/protocol/text.ts";

const MAX = 24;
/** Texts of each length in UTF-8 for a code unit, pairs and lone surrogates among them. */
const TEXTS = [
  "a",
  "\u0001",
  '"',
  "\u00e9",
  "\u5b57",
  "\u{1f600}",
  "\ud800",
  "\udc00\ud800",
  "a\u5b57",
].flatMap((unit) => Array.from({ length: MAX + 2 }, (_, count) => unit.repeat(count)));

describe("a bound in bytes", () => {
  test("on a text is of its UTF-8", () => {
    const schema = boundedText(MAX);
    for (const text of TEXTS)
      expect([text, Value.Check(schema, text)]).toEqual([text, Buffer.byteLength(text) <= MAX]);
  });

  test("on a text to keep is of what it takes inside JSON", () => {
    const schema = storedText(MAX);
    for (const text of TEXTS) {
      const bytes = Buffer.byteLength(JSON.stringify(text)) - 2;
      expect([text, Value.Check(schema, text)]).toEqual([text, bytes <= MAX]);
    }
  });

  test("on JSON is of its compact form", () => {
    const schema = boundedJson(MAX);
    for (const text of TEXTS) {
      const bytes = Buffer.byteLength(JSON.stringify({ text }));
      expect([text, Value.Check(schema, { text })]).toEqual([text, bytes <= MAX]);
    }
  });

  test("is for values of its type", () => {
    for (const value of [0, true, null, undefined, [], {}])
      for (const schema of [boundedText(MAX), storedText(MAX), characters(MAX)])
        expect(Value.Check(schema, value)).toBe(false);
    for (const value of [0, true, null, undefined, "{}"])
      expect(Value.Check(boundedJson(MAX), value)).toBe(false);
  });
});
