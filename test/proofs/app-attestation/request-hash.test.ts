import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { requestHash } from "../../../src/proofs/app-attestation/request-hash.ts";
import { InvalidJson } from "../../../src/protocol/canonical-json.ts";

const hashOf = (json: string) => createHash("sha256").update(json, "utf8").digest("hex");
const post = (body: string | null) => requestHash({ method: "POST", path: "/v1/verify-factor", body });

describe("the hash of a request", () => {
  test("is over body, method and path, in this order", () => {
    expect(post('{ "b": 2, "a": 1 }')).toBe(
      hashOf('{"body":{"a":1,"b":2},"method":"POST","pathUri":"/v1/verify-factor"}'),
    );
  });

  test.each([null, "", "null", " null "])("has no body for the body %p", (body) => {
    expect(post(body)).toBe(hashOf('{"method":"POST","pathUri":"/v1/verify-factor"}'));
  });

  test.each([
    ["[]", "[]"],
    ['"text"', '"text"'],
    ["1.0", "1.0"],
    ["{}", "{}"],
  ])("takes the body %s as it is", (body, canonical) => {
    expect(post(body)).toBe(hashOf(`{"body":${canonical},"method":"POST","pathUri":"/v1/verify-factor"}`));
  });

  test("is over UTF-8, without needless escapes", () => {
    expect(post('{"name":"J\\u00fcrgen \\/ 😀"}')).toBe(
      hashOf('{"body":{"name":"Jürgen / 😀"},"method":"POST","pathUri":"/v1/verify-factor"}'),
    );
  });

  test("is the same for all encodings of one request", () => {
    const encodings = [
      '{"a":"é","n":1e1}',
      ' {"n":10.0,\n"a":"\\u00e9","z":null}',
      '{"n":1,"a":"é","n":1.0E+1}',
    ];
    expect(new Set(encodings.map(post)).size).toBe(1);
  });

  test("differs with the method, the path and every value", () => {
    const request = { method: "POST", path: "/v1/delete-factor", body: '{"a":1}' };
    const others = [
      request,
      { ...request, method: "PUT" },
      { ...request, path: "/v1/delete-factor/" },
      { ...request, path: "/delete-factor" },
      ...["{}", '{"a":2}', '{"a":1.0}', '{"a":"1"}', '{"a":[1]}', '{"A":1}', '{"a":9007199254740993}'].map(
        (body) => ({ ...request, body }),
      ),
      { ...request, body: '{"a":9007199254740992}' },
    ];
    expect(new Set(others.map(requestHash)).size).toBe(others.length);
  });

  test("is 64 lower-case hex digits", () => {
    expect(post(null)).toMatch(/^[0-9a-f]{64}$/);
  });

  test("is not there for a body that is no JSON", () => {
    for (const body of ["{", "{}x", " ", "undefined"]) expect(() => post(body)).toThrow(InvalidJson);
  });
});
