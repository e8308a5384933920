import { describe, expect, test } from "bun:test";
import { refusePrfResults, withoutPrfResults } from "../../../src/proofs/passkey/prf-results.ts";

describe("withoutPrfResults", () => {
  test.each([
    [{ prf: { enabled: true, results: { first: "S" } } }, { prf: { enabled: true } }],
    [{ prf: { results: { first: "S", second: "S" } }, credProps: { rk: true } }, { credProps: { rk: true } }],
    [{ PRF: "S" }, {}],
    [{ prf: { first: [1, 2] } }, {}],
    [{ hmacGetSecret: { output1: "S" } }, {}],
    [{ "hmac-secret": "S", hmacCreateSecret: true }, { hmacCreateSecret: true }],
    [{ prf: { enabled: true, results: null } }, { prf: { enabled: true, results: null } }],
    [{}, {}],
  ])("leaves of %j %j", (clientExtensionResults, left) => {
    const credential = {
      id: "i",
      clientExtensionResults,
      response: { clientDataJSON: "c", clientExtensionResults },
    };
    const cleaned = withoutPrfResults(credential);
    expect(cleaned).toEqual({
      id: "i",
      clientExtensionResults: left,
      response: { clientDataJSON: "c", clientExtensionResults: left },
    });
    expect(() => refusePrfResults(cleaned)).not.toThrow();
    expect(JSON.stringify(cleaned)).not.toContain('"S"');
  });

  test.each([null, "text", 5, [1], {}, { response: null }, { response: [1] }])(
    "leaves %j as it is",
    (value) => {
      expect(withoutPrfResults(value)).toEqual(value);
    },
  );
});
