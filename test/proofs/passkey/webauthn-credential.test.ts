import { describe, expect, test } from "bun:test";
import { parseAssertion, parseRegistration } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { codeOf, errorOf } from "../../support/error-of.ts";
import { type BinaryEncoding, SoftwareAuthenticator } from "../../support/software-authenticator.ts";

const options = { publicKey: { challenge: Buffer.alloc(32, 1).toString("base64url") } };
const device = new SoftwareAuthenticator();
const registration = device.register(options);
const assertion = device.assert(options);
const BOTH = [
  ["a registration", parseRegistration, registration],
  ["an assertion", parseAssertion, assertion],
] as const;

describe("reading a WebAuthn response", () => {
  test.each<BinaryEncoding>(["base64url", "padded-base64url", "base64", "unpadded-base64", "bytes"])(
    "takes binary members as %s",
    (encoding) => {
      const made = parseRegistration(device.register(options, { encoding }));
      const used = parseAssertion(device.assert(options, { encoding }));
      for (const { credentialId, clientDataJson } of [made, used]) {
        expect(credentialId).toBe(device.credentialId.toString("base64url"));
        expect(JSON.parse(Buffer.from(clientDataJson).toString()).challenge).toBe(
          options.publicKey.challenge,
        );
      }
      expect(made.attestationObject).toEqual(parseRegistration(registration).attestationObject);
      expect(used.authenticatorData).toEqual(parseAssertion(assertion).authenticatorData);
    },
  );

  test.each(BOTH)("takes %s without clientExtensionResults", (_, parse, credential) => {
    const { clientExtensionResults: _results, ...without } = credential;
    for (const body of [without, { ...without, clientExtensionResults: null }])
      expect(parse(body)).toEqual(parse(credential));
  });

  test.each(BOTH)("takes %s with members it does not know", (_, parse, credential) => {
    expect(parse({ ...credential, prf: { results: 1 }, response: { ...credential.response, x: 1 } })).toEqual(
      parse(credential),
    );
  });

  test("keeps the transports that are strings", () => {
    const withTransports = (transports: unknown) =>
      parseRegistration({ ...registration, response: { ...registration.response, transports } }).transports;
    expect(withTransports(["internal", 7, ["usb"], "hybrid"])).toEqual(["internal", "hybrid"]);
    for (const odd of [undefined, null, "internal", {}]) expect(withTransports(odd)).toEqual([]);
  });

  test("keeps few and short transports, each once", () => {
    const many = Array.from({ length: 500 }, (_, index) => `x${"-".repeat(index % 40)}`);
    const transports = ["usb", "usb", "", "USB", "\u0001", ...many];
    const kept = parseRegistration({ ...registration, response: { ...registration.response, transports } });
    expect(kept.transports).toEqual(["usb", "x", "x-", "x--", "x---", "x----", "x-----", "x------"]);
  });
});

describe("PRF results", () => {
  const SECRETS: unknown[] = [
    ...[
      { first: "c2VjcmV0" },
      { first: null, second: "c2VjcmV0" },
      { first: [1, 2] },
      { first: {} },
      { third: 0 },
    ],
    ...["c2VjcmV0", "", 0, true, false, ["c2VjcmV0"], { first: "" }, { first: false }],
  ];
  const NO_SECRETS: unknown[] = [null, {}, { first: null }, { first: null, second: null }, []];
  const secretResults = SECRETS.flatMap((value) => [
    { prf: { enabled: true, results: value } },
    { hmacGetSecret: value },
  ]);
  const otherSecrets = [
    { hmacGetSecret: { output1: "c2VjcmV0", output2: null } },
    { "hmac-secret": "c2VjcmV0" },
    { hmacSecret: { output1: [1] } },
    { hmacCreateSecret: "c2VjcmV0" },
    { "hmac-secret-mc": ["c2VjcmV0"] },
    { prf: { first: "c2VjcmV0" } },
    { prf: { enabled: true, first: null, second: [1, 2] } },
    { prf: "c2VjcmV0" },
    { prf: ["c2VjcmV0"] },
    { PRF: { results: { first: "c2VjcmV0" } } },
  ];

  test.each(BOTH)("in %s are refused", async (_, parse, credential) => {
    for (const clientExtensionResults of [...secretResults, ...otherSecrets])
      for (const body of [
        { ...credential, clientExtensionResults },
        { ...credential, response: { ...credential.response, clientExtensionResults } },
      ]) {
        const error = await errorOf(() => parse(body));
        expect([clientExtensionResults, error.code]).toEqual([
          clientExtensionResults,
          "webauthn_prf_results_not_allowed",
        ]);
        expect(error.message).not.toContain("c2VjcmV0");
      }
  });

  test.each(BOTH)("in %s are refused before anything else", async (_, parse) => {
    for (const rest of [{}, { id: 1, response: null, type: "wrong" }])
      for (const clientExtensionResults of secretResults)
        expect(await codeOf(() => parse({ ...rest, clientExtensionResults }))).toBe(
          "webauthn_prf_results_not_allowed",
        );
  });

  test.each(BOTH)("are not in %s that writes the members without a value", (_, parse, credential) => {
    const results = [
      ...NO_SECRETS.flatMap((value) => [{ prf: { results: value } }, { hmacGetSecret: value }]),
      ...[{ prf: { enabled: true } }, { prf: {} }, { prf: null }, { prf: 1 }],
      ...[{ prf: { first: null, second: null } }, { prf: { eval: { first: "salt" } } }, { prf: [] }],
      ...[{ hmacCreateSecret: true }, { "hmac-secret": false }, { hmacSecret: null }],
    ];
    for (const clientExtensionResults of results)
      expect(parse({ ...credential, clientExtensionResults })).toEqual(parse(credential));
  });
});

describe("what is no WebAuthn response", () => {
  const BAD_BINARY = [
    undefined,
    null,
    1,
    true,
    {},
    "not base64!",
    "a",
    "=",
    "AB",
    "AA=",
    "AAAA====",
    [256],
    [-1],
    [1.5],
    ["1"],
    [null],
  ];

  test.each(BOTH)("is refused in the place of %s", async (_, parse, credential) => {
    const bodies: readonly (readonly [reason: string, bodies: readonly unknown[]])[] = [
      ["the credential is not an object", [undefined, null, 0, 1, true, "", "{}", [], [credential]]],
      [
        "type is not public-key",
        [{}, ...["public_key", "", null, 1].map((type) => ({ ...credential, type }))],
      ],
      [
        "response is not an object",
        [undefined, null, 1, "x", []].map((response) => ({ ...credential, response })),
      ],
      [
        "clientExtensionResults is not an object",
        ["x", 1, true, []].map((clientExtensionResults) => ({ ...credential, clientExtensionResults })),
      ],
      ["rawId is not binary", BAD_BINARY.map((rawId) => ({ ...credential, rawId }))],
      ["id is not binary", BAD_BINARY.map((id) => ({ ...credential, id }))],
      ["id and rawId differ", [{ ...credential, id: "AAAA" }]],
      ["rawId is empty", ["", []].map((id) => ({ ...credential, id, rawId: id }))],
    ];
    for (const [reason, wrong] of bodies)
      for (const body of wrong) {
        const { code, message } = await errorOf(() => parse(body));
        expect([code, message]).toEqual(["webauthn_invalid_payload", `Not a WebAuthn response: ${reason}`]);
      }
  });

  test.each([
    ...["clientDataJSON", "attestationObject"].map(
      (name) => [name, parseRegistration, registration] as const,
    ),
    ...["clientDataJSON", "authenticatorData", "signature"].map(
      (name) => [name, parseAssertion, assertion] as const,
    ),
  ])("is refused when %s is not binary", async (name, parse, credential) => {
    for (const bad of BAD_BINARY) {
      const error = await errorOf(() =>
        parse({ ...credential, response: { ...credential.response, [name]: bad } }),
      );
      expect(error.code).toBe("webauthn_invalid_payload");
      expect(error.message).toContain(name);
    }
  });
});
