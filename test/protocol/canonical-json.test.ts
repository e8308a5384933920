import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalDouble, canonicalJson, InvalidJson } from "../../src/protocol/canonical-json.ts";

describe("canonical JSON", () => {
  test.each([
    ["{}", "{}"],
    ["[]", "[]"],
    ["null", "null"],
    [" true ", "true"],
    ["\t\r\n false\n", "false"],
    [' { "b" : 1 , "a" : [ 1 , { } , [ ] ] } ', '{"a":[1,{},[]],"b":1}'],
    ['{"b":{"d":1,"c":2},"a":0}', '{"a":0,"b":{"c":2,"d":1}}'],
  ])("of %s is %s", (text, canonical) => {
    expect(canonicalJson(text)).toBe(canonical);
  });

  test("sorts keys by code point at every level", () => {
    expect(canonicalJson('{"b":[{"z":1,"Z":2}],"a":1,"B":1,"":1,"aa":1,"10":1,"9":1}')).toBe(
      '{"":1,"10":1,"9":1,"B":1,"a":1,"aa":1,"b":[{"Z":2,"z":1}]}',
    );
  });

  test("sorts characters beyond U+FFFF after U+E000 to U+FFFF", () => {
    expect(canonicalJson('{"\u{10000}":1,"\uffff":2,"\ue000":3,"\ud7ff":4,"é":5}')).toBe(
      '{"é":5,"\ud7ff":4,"\ue000":3,"\uffff":2,"\u{10000}":1}',
    );
    expect(canonicalJson('{"a\u{1f600}":1,"a\uff5e":2,"a\u{1f5ff}":3}')).toBe(
      '{"a\uff5e":2,"a\u{1f5ff}":3,"a\u{1f600}":1}',
    );
  });

  test("leaves out members that are null, and keeps elements that are", () => {
    expect(canonicalJson('{"a":null,"b":{"c":null},"d":[null,{"e":null},1]}')).toBe(
      '{"b":{},"d":[null,{},1]}',
    );
  });

  test("lets the last of equal keys count, however they are escaped", () => {
    expect(canonicalJson('{"a":1,"b":2,"a":3}')).toBe('{"a":3,"b":2}');
    expect(canonicalJson('{"a":1,"\\u0061":2}')).toBe('{"a":2}');
    expect(canonicalJson('{"a":1,"a":null}')).toBe("{}");
    expect(canonicalJson('{"a":null,"a":1}')).toBe('{"a":1}');
    expect(canonicalJson('{"a":[1e400,"\\ud800"],"a":[1]}')).toBe('{"a":[1]}');
  });

  test("reads __proto__ and its like as keys", () => {
    const text = '{"__proto__":{"x":1},"constructor":2,"toString":3,"hasOwnProperty":4}';
    expect(canonicalJson(text)).toBe('{"__proto__":{"x":1},"constructor":2,"hasOwnProperty":4,"toString":3}');
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  test.each([
    ['"\\u00e9"', '"é"'],
    ['"\\ud83d\\ude00"', '"😀"'],
    ['"\\/"', '"/"'],
    ['"/"', '"/"'],
    ['"\\u0022\\u005c"', '"\\"\\\\"'],
    ['"\\u000a\\u0009\\u000d\\u0008\\u000c"', '"\\n\\t\\r\\b\\f"'],
    ['"\\u0001\\u001F"', '"\\u0001\\u001f"'],
    ['"\u007f\u2028\u2029"', '"\u007f\u2028\u2029"'],
    ['"\\u0000"', '"\\u0000"'],
    ['"<&\'>"', '"<&\'>"'],
  ])("writes the string %s as %s", (text, canonical) => {
    expect(canonicalJson(text)).toBe(canonical);
    expect(canonicalJson(`{${text}:1}`)).toBe(`{${canonical}:1}`);
  });

  test.each([
    ["0", "0"],
    ["-1", "-1"],
    ["9007199254740993", "9007199254740993"],
    ["9223372036854775807", "9223372036854775807"],
    ["-9223372036854775808", "-9223372036854775808"],
    ["18446744073709551615", "18446744073709551615"],
    ["18446744073709551617", "18446744073709551617"],
    ["1.0", "1.0"],
    ["1.50", "1.5"],
    ["-0", "-0.0"],
    ["-0.0", "-0.0"],
    ["0.0", "0.0"],
    ["0e0", "0.0"],
    ["1e0", "1.0"],
    ["1E5", "100000.0"],
    ["1e+5", "100000.0"],
    ["12e-1", "1.2"],
    ["1e15", "1000000000000000.0"],
    ["1e16", "1e16"],
    ["1e21", "1e21"],
    ["1.5e300", "1.5e300"],
    ["100000000000000000000.0", "1e20"],
    ["123456789012345678.0", "1.2345678901234568e17"],
    ["1234567890123456.7", "1234567890123456.8"],
    ["0.1", "0.1"],
    ["0.00001", "0.00001"],
    ["0.000001", "1e-6"],
    ["1.5E-7", "1.5e-7"],
    ["5e-324", "5e-324"],
    ["1e-400", "0.0"],
    ["1.7976931348623157e308", "1.7976931348623157e308"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["0.3000000000000000444", "0.30000000000000004"],
    ["9007199254740993.0", "9007199254740992.0"],
  ])("writes the number %s as %s", (text, canonical) => {
    expect(canonicalJson(text)).toBe(canonical);
    expect(canonicalJson(`[${text}]`)).toBe(`[${canonical}]`);
  });

  test("reads nesting of 127 levels and no more", () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(canonicalJson(nested(127))).toBe(nested(127));
    for (const levels of [128, 1_000, 1_000_000])
      for (const text of [nested(levels), "[".repeat(levels), '{"a":'.repeat(levels)])
        expect(() => canonicalJson(text)).toThrow(InvalidJson);
  });

  test("reads a megabyte of anything in reasonable time", () => {
    for (const text of [
      `"${"\\n".repeat(500_000)}"`,
      `"${"a".repeat(1_000_000)}"`,
      "9".repeat(1_000_000),
      `0.${"1".repeat(1_000_000)}`,
      `[${"1,".repeat(400_000)}1]`,
      `{${Array.from({ length: 80_000 }, (_, i) => `"k${i}":1`).join(",")}}`,
    ]) {
      const before = process.cpuUsage(); // other processes take no part of it
      canonicalJson(text);
      expect(process.cpuUsage(before).user / 1_000).toBeLessThan(5_000);
    }
  });
});

test("text that is no JSON is refused", () => {
  const bad = [
    ..."{ [ } ] : , \" ' - + . e a".split(" "),
    ...["", " ", "\ufeff1", "\u00a01", "nul", "nulll", "True", "undefined", "NaN", "Infinity", "-Infinity"],
    ...["01", "-01", "00", "1.", ".5", "1e", "1e+", "1.e5", "0x1", "1_0", "--1", "+1", "1 2", "1,", "- 1"],
    ...[
      "[1,]",
      "[,1]",
      "[1 2]",
      "[1",
      "[1}",
      "[",
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{,"a":1}',
      '{"a":1',
      "{1:1}",
    ],
    ...["{a:1}", "{'a':1}", '{"a":1 "b":2}', '{"a" 1}', "{} {}", '{"a":1}}', "[]]", "/**/1", "1//"],
    ...[
      '"',
      '"\\"',
      '"\\x"',
      '"\\u12"',
      '"\\u12g4"',
      '"\n"',
      '"\t"',
      '"\u0000"',
      "'a'",
      '"a" "b"',
      '{"\\x":1}',
    ],
    ...[
      '"\\ud800"',
      '"\\udc00"',
      '"\\ude00\\ud83d"',
      '"\ud800"',
      '{"\\ud800":1}',
      "1e400",
      "-1e400",
      "[1e309]",
    ],
  ];
  for (const text of bad) expect(() => canonicalJson(text)).toThrow(InvalidJson);
});

describe("for any document", () => {
  test("the canonical text has the same value, is canonical itself, and can be read by JSON.parse", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const canonical = canonicalJson(JSON.stringify(value));
        expect(JSON.parse(canonical)).toEqual(withoutNullMembers(JSON.parse(JSON.stringify(value))));
        expect(canonicalJson(canonical)).toBe(canonical);
        expect(canonicalJson(JSON.stringify(value, null, 2))).toBe(canonical);
      }),
    );
  });

  test("it is read exactly where JSON.parse reads, but for half pairs, ranges and depth", () => {
    const fragments = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "1",
      "-",
      "0",
      ".",
      "e5",
      "null",
      "tru",
      "e",
      " ",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...fragments), { maxLength: 9 }), (parts) => {
        const text = parts.join("");
        expect(accepts(() => canonicalJson(text))).toBe(accepts(() => JSON.parse(text, finite)));
      }),
      { numRuns: 5_000 },
    );
  });

  test("a double keeps its value and its mark", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = canonicalDouble(value);
        expect(Number(text)).toBe(value);
        expect(text).toMatch(/^-?(?:\d+\.\d+|\d(?:\.\d+)?e-?\d+)$/);
        expect(canonicalJson(text)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
});

test("an engine that does not pass the source of numbers has the same form of what it wrote itself", () => {
  const parse = JSON.parse;
  const value = { n: [0, 1, -7, 50, 1e21, 0.5, -1.5e-7, 2 ** 53], text: "é😀", nothing: null };
  const written = JSON.stringify(value);
  const form = canonicalJson(written);
  const withoutSource: typeof parse = (text, reviver) =>
    parse(text, reviver === undefined ? undefined : (key, member) => reviver(key, member));
  JSON.parse = withoutSource;
  try {
    expect(canonicalJson(written)).toBe(form);
  } finally {
    JSON.parse = parse;
  }
});

/** A reviver that refuses numbers out of range, as `JSON.parse` by itself does not. */
function finite(_key: string, value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
    throw new Error("out of range");
  return value;
}

function accepts(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function withoutNullMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNullMembers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, withoutNullMembers(member)]),
  );
}
