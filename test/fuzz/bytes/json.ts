/** JSON: the canonical form, bodies against their schemas, and the documents that a proof has in it. */
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { ambiguityIn } from "../../../src/backups/legacy/strict-json.ts";
import { jsonText, MAX_JSON_DEPTH, parseJson } from "../../../src/http/body/body.ts";
import { isNestedDeeper } from "../../../src/http/body/json-depth.ts";
import { describeMismatch } from "../../../src/http/validation.ts";
import { refusePrfResults, withoutPrfResults } from "../../../src/proofs/passkey/prf-results.ts";
import { parseAssertion, parseRegistration } from "../../../src/proofs/passkey/webauthn-credential.ts";
import { challengeInActivity, requireActivity } from "../../../src/proofs/turnkey/activity.ts";
import { canonicalJson, InvalidJson } from "../../../src/protocol/canonical-json.ts";
import { allExamples } from "../../../src/protocol/examples/all.ts";
import { namedOperations } from "../../../src/protocol/named-operations.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import { SoftwareAuthenticator } from "../../support/software-authenticator.ts";
import { HOSTILE_VALUES } from "../hostile-values.ts";
import { randomJson } from "./json-grammar.ts";
import { referenceCanonical } from "./json-reference.ts";
import { ACCEPTED, bytesOf, kindOf, outcomeOf, requireThat, type Target, textOf } from "./target.ts";

const REQUESTS = allExamples.flatMap(({ request }) => (request === null ? [] : [request]));
const PIECES = bytesOf(
  ...[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    "null",
    "true",
    "-",
    "0",
    "1e400",
    ".5",
  ],
  ...[
    "-0",
    "1.0",
    '"a":1,',
    '"a":null,',
    "\ufeff",
    "\u0000",
    " ",
    "[[[[[[[[",
    "]]]]]]]]",
    '"__proto__":',
    "9".repeat(30),
  ],
  ...HOSTILE_VALUES.filter((text) => text.length < 200),
);

/** As the reference; and a canonical form is its own, and JSON of the same value. */
export function canonicalJsonTarget(canonical = canonicalJson): Target {
  return {
    name: "canonical JSON",
    corpus: bytesOf(...REQUESTS.filter(({ length }) => length < 1_000), "[".repeat(127) + "]".repeat(127)),
    dictionary: PIECES,
    generate: (dice) => Buffer.from(randomJson(dice)),
    run(input) {
      const text = textOf(input);
      const expected = referenceCanonical(text);
      let found: string;
      try {
        found = canonical(text);
      } catch (error) {
        if (!(error instanceof InvalidJson)) throw error;
        requireThat(expected === null, `refused what the reference takes: ${error.message}`);
        return error.message;
      }
      requireThat(found === expected, `made ${found}, not ${expected}`);
      requireThat(canonical(found) === found, "its canonical form has another one");
      return ACCEPTED;
    },
  };
}

const SCHEMAS = namedOperations.flatMap(({ wire: { request } }) =>
  request === null ? [] : [{ schema: request, compiled: TypeCompiler.Compile(request) }],
);

/** A body of any operation: it fits the schema, or a sentence says where it does not. */
export function bodyTarget(describe = describeMismatch): Target {
  const [first, ...others] = SCHEMAS;
  if (first === undefined) throw new Error("no operation has a request");
  return {
    name: "JSON bodies",
    corpus: bytesOf(...REQUESTS),
    dictionary: PIECES,
    generate: (dice) =>
      Buffer.from(randomJson(dice, ["kind", "signature", "publicKey", "credential", "backupId"])),
    run(input, dice) {
      const { schema, compiled } = dice.of([first, ...others]);
      const outcome = outcomeOf(() => {
        const value = parseJson(jsonText(input, "The body"), "The body");
        requireThat(depthOf(value) <= MAX_JSON_DEPTH, "let a deep value pass");
        const again = JSON.stringify(value);
        for (const limit of [1, 3])
          requireThat(isNestedDeeper(again, limit) === depthOf(value) > limit, "miscounts");
        if (compiled.Check(value)) return;
        const sentence = describe(schema, value);
        requireThat(/^(\/.*|the whole value): ./s.test(sentence), `describes nothing: ${sentence}`);
      });
      return outcome;
    },
  };
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Object.values(value).reduce<number>((deepest, member) => Math.max(deepest, depthOf(member)), 0);
}

/** A WebAuthn response in any of the forms that clients send. */
export function credentialTarget(parse: typeof parseRegistration = parseRegistration): Target {
  const authenticator = new SoftwareAuthenticator();
  const options = { publicKey: { challenge: "AAAA" } };
  const encodings = ["base64url", "base64", "bytes"] as const;
  const made = encodings.flatMap((encoding) => [
    authenticator.register(options, { encoding }),
    authenticator.assert(options, { encoding, clientExtensionResults: { prf: { enabled: true } } }),
  ]);
  return {
    name: "WebAuthn responses",
    corpus: bytesOf(...made.map((response) => JSON.stringify(response))),
    dictionary: [
      ...PIECES,
      ...bytesOf(
        '"prf":{"results":{"first":"AA"}},',
        '"hmacGetSecret":1,',
        '"clientExtensionResults":{},',
        "256",
        "=",
      ),
    ],
    generate: (dice) =>
      Buffer.from(
        randomJson(dice, [
          "id",
          "rawId",
          "type",
          "response",
          "clientExtensionResults",
          "prf",
          "results",
          "first",
        ]),
      ),
    run(input) {
      const value = parsedOrNothing(input);
      const cleaned = withoutPrfResults(value);
      refusePrfResults(cleaned);
      requireThat(
        Bun.deepEquals(withoutPrfResults(cleaned), cleaned, true),
        "takes away more the second time",
      );
      outcomeOf(() => parseAssertion(value));
      return outcomeOf(() => parse(value));
    },
  };
}

/** `undefined` for what is no JSON. */
function parsedOrNothing(input: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(input));
  } catch {
    return undefined;
  }
}

export function activityTarget(require = requireActivity): Target {
  const clock = new SettableClock();
  const challenge = Buffer.from("the challenge");
  const activity = {
    organizationId: "organisation",
    type: "ACTIVITY_TYPE_CREATE_API_KEYS_V2",
    timestampMs: `${clock.nowMs()}`,
    metadata: { challenge: challenge.toString("base64") },
  };
  return {
    name: "Turnkey activities",
    corpus: bytesOf(JSON.stringify(activity)),
    dictionary: PIECES,
    generate: (dice) =>
      Buffer.from(randomJson(dice, ["organizationId", "type", "timestampMs", "metadata", "challenge"])),
    run(input) {
      const text = textOf(input);
      const named = challengeInActivity(text);
      const outcome = outcomeOf(() => require(text, { challenge, turnkeyAccountId: "organisation" }, clock));
      if (outcome === ACCEPTED)
        requireThat(named !== null && challenge.equals(named), "names another challenge");
      return outcome;
    },
  };
}

/** Whether a text is read alike by every reader: none has a name twice. */
export function strictJsonTarget(ambiguity = ambiguityIn): Target {
  return {
    name: "JSON without ambiguity",
    corpus: bytesOf(...REQUESTS.filter(({ length }) => length < 1_000), '["a",":b"]'),
    dictionary: PIECES,
    generate: (dice) => Buffer.from(randomJson(dice)),
    run(input) {
      const text = textOf(input);
      if (parsedOrNothing(input) === undefined) return "no JSON";
      const found = ambiguity(text);
      // each string as a whole, so that no match begins at the end of one
      const strings = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)];
      const names = strings.filter(([, colon]) => colon !== undefined).length;
      const kept = membersOf(JSON.parse(text));
      if (found === null) requireThat(names === kept, `${names} names, ${kept} members`);
      else
        requireThat(
          found === "is nested too deeply" || names > kept,
          `${names} names, ${kept} members: ${found}`,
        );
      return found === null ? ACCEPTED : kindOf(found);
    },
  };
}

function membersOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((count, member) => count + membersOf(member), own);
}
