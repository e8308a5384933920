/** Tokens: challenge tokens (JWE), id_tokens and attestation tokens (JWS), and the key sets that verify them. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { errors } from "jose";
import { encodeBase64Url, sha256 } from "../../../src/crypto/encoding.ts";
import { ServiceError } from "../../../src/errors.ts";
import { requestHash } from "../../../src/proofs/app-attestation/request-hash.ts";
import { createAttestationVerifier } from "../../../src/proofs/app-attestation/verifier.ts";
import { createChallengeTokens } from "../../../src/proofs/challenge-tokens.ts";
import { createOidcVerifier, nonceOf } from "../../../src/proofs/identity/oidc.ts";
import { createJwks, type Jwks } from "../../../src/proofs/jwks.ts";
import { pseudoRandom } from "../../support/pseudo-random.ts";
import { SettableClock } from "../../support/settable-clock.ts";
import { newKeys } from "../../support/software-authenticator.ts";
import { randomJson } from "./json-grammar.ts";
import {
  ACCEPTED,
  bytesOf,
  Dice,
  kindOf,
  outcomeOfAsync,
  requireThat,
  type Target,
  textOf,
} from "./target.ts";

const CLOCK = new SettableClock();
const NOW_S = CLOCK.nowMs() / 1000;
const POINT = newKeys("ES256")
  .publicKey.export({ format: "der", type: "spki" })
  .subarray(-65)
  .toString("base64");

const HEADER_NAMES = [
  "alg",
  "kid",
  "typ",
  "crit",
  "b64",
  "jwk",
  "jku",
  "x5c",
  "x5u",
  "enc",
  "zip",
  "p2c",
  "cty",
] as const;
const PIECES = bytesOf(
  ...[
    ".",
    "..",
    "=",
    "A",
    "e30",
    "eyJ",
    "bnVsbA",
    "W10",
    "MQ",
    "-",
    "_",
    "+",
    "\n",
    " ",
    "é",
    "....",
    "AAAAAAAA",
  ],
  ...headers(
    '{"alg":"none"}',
    '{"alg":"HS256","kid":"k"}',
    '{"alg":"ES256","kid":"k","crit":["b64"],"b64":false}',
  ),
  ...headers(
    '{"alg":"dir","enc":"A256GCM","kid":"k","zip":"DEF"}',
    '{"alg":"dir","enc":"A128GCM","kid":"k"}',
  ),
  ...headers(
    '{"alg":"dir","enc":"A256GCM","kid":["k"]}',
    '{"alg":"PBES2-HS256+A128KW","p2c":1e9}',
    '{"alg":"RS256"}',
  ),
);

function headers(...texts: readonly string[]): string[] {
  return texts.map((text) => encodeBase64Url(Buffer.from(text)));
}

export async function challengeTokenTarget(create = createChallengeTokens): Promise<Target> {
  const key = (kid: string) => ({ kid, secret: sha256(kid) });
  const tokens = await create([key("k"), key("old")], CLOCK);
  const issued = new Map<string, string>();
  for (const [type, text] of [
    ["keypair", "one"],
    ["keypair", "two"],
    ["passkey", "three"],
  ] as const) {
    const challenge = sha256(text);
    issued.set(await tokens.issue(type, challenge, { operation: "sync" }), encodeBase64Url(challenge));
  }
  return {
    name: "challenge tokens",
    corpus: bytesOf(...issued.keys()),
    dictionary: PIECES,
    generate: (dice) => compact(dice, 5),
    run: (input) =>
      outcomeOfAsync(async () => {
        const { challenge } = await tokens.read(textOf(input), "keypair");
        requireThat([...issued.values()].includes(encodeBase64Url(challenge)), "opened what nobody issued");
      }),
  };
}

/** Parts of base64url with dots between them, most often as many as there should be. */
function compact(dice: Dice, parts: number): Uint8Array {
  const header = randomJson(dice, HEADER_NAMES);
  const count = dice.oneIn(8) ? dice.below(8) : parts;
  const rest = Array.from({ length: Math.max(0, count - 1) }, () =>
    Buffer.alloc(dice.below(40), dice.below(256)),
  );
  return Buffer.from([Buffer.from(header), ...rest].map(encodeBase64Url).join("."));
}

interface Signer {
  readonly algorithm: "ES256" | "RS256";
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

function signed({ keys }: Pick<Signer, "keys">, header: string, claims: string): string {
  const input = [header, claims].map((text) => encodeBase64Url(Buffer.from(text))).join(".");
  const signature = sign("sha256", Buffer.from(input), { key: keys.privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${encodeBase64Url(signature)}`;
}

function keySetOf({ algorithm, keys }: Signer): string {
  return JSON.stringify({
    keys: [{ ...keys.publicKey.export({ format: "jwk" }), kid: "k", alg: algorithm }],
  });
}

/** A key set that is fetched from memory. */
export function jwksOf(text: string): Jwks {
  return createJwks({
    url: "https://issuer.example/jwks",
    clock: CLOCK,
    background: { run: async () => {} },
    fetch: async () => new Response(text),
  });
}

const SIGNED_TOKENS = 200;

/** Tokens that the issuer has signed, of the right claims first and then of any: what is signed is parsed further. */
function signedTokens(
  signer: Signer,
  claims: Readonly<Record<string, unknown>>,
): readonly [string, ...string[]] {
  const dice = new Dice(pseudoRandom(1));
  const header = JSON.stringify({ alg: signer.algorithm, kid: "k" });
  const names: readonly [string, ...string[]] = ["iss", ...Object.keys(claims)];
  const hostile = Array.from({ length: SIGNED_TOKENS }, (_, index) => {
    const members = Object.entries(claims).map(
      ([name, value]) =>
        `${JSON.stringify(name)}:${dice.oneIn(4) ? randomJson(dice, names) : JSON.stringify(value)}`,
    );
    if (index % 4 === 0) return signed(signer, header, randomJson(dice, names));
    return signed(signer, header, `{${members.join(",")}}`);
  });
  const critical = JSON.stringify({ alg: signer.algorithm, kid: "k", crit: ["b64"], b64: false });
  return [
    signed(signer, header, JSON.stringify(claims)),
    signed(signer, critical, JSON.stringify(claims)),
    ...hostile,
  ];
}

export function idTokenTarget(create = createOidcVerifier): Target {
  const signer = { algorithm: "RS256", keys: newKeys("RS256") } as const;
  const [issuer, client] = ["https://accounts.google.com", "client"];
  const verifier = create(
    { google: { issuer, clientIds: [client], jwksUrl: "https://issuer.example/jwks" }, apple: null },
    () => jwksOf(keySetOf(signer)),
    CLOCK,
  );
  const claims = {
    iss: issuer,
    sub: "user",
    aud: client,
    exp: NOW_S + 300,
    iat: NOW_S,
    nonce: nonceOf(POINT),
  };
  return jwsTarget("id_tokens", signedTokens(signer, claims), (token) =>
    verifier.verify({ kind: "GOOGLE", token }, POINT),
  );
}

export function attestationTokenTarget(create = createAttestationVerifier): Target {
  const signer = { algorithm: "ES256", keys: generateKeyPairSync("ec", { namedCurve: "P-256" }) } as const;
  const [issuer, audience] = ["issuer", "audience"];
  const verifier = create(
    { mode: "enforce", issuer, audience, jwksUrl: "https://issuer.example/jwks", bypassToken: "bypass" },
    () => jwksOf(keySetOf(signer)),
    CLOCK,
  );
  const request = { method: "POST", path: "/v1/create", body: '{"a":1}' };
  const jti = requestHash(request);
  const claims = { iss: issuer, aud: audience, exp: NOW_S + 300, iat: NOW_S, pass: true, jti };
  return jwsTarget("attestation tokens", signedTokens(signer, claims), (header) =>
    verifier.verify({ ...request, header }),
  );
}

/** What is accepted has been signed by the issuer, whatever became of the encoding of its signature. */
function jwsTarget(
  name: string,
  tokens: readonly string[],
  verify: (token: string) => Promise<unknown>,
): Target {
  const signedParts = new Set(tokens.map(withoutSignature));
  return {
    name,
    corpus: bytesOf(...tokens),
    dictionary: PIECES,
    generate: (dice) => compact(dice, 3),
    run: (input) =>
      outcomeOfAsync(async () => {
        const token = textOf(input);
        await verify(token);
        requireThat(
          signedParts.has(withoutSignature(token)) || token === "bypass",
          "took what nobody signed",
        );
      }),
  };
}

function withoutSignature(token: string): string {
  return token.slice(0, token.lastIndexOf("."));
}

/** The response of an issuer: a key of it, an outage, or a token that names a key that is not there. */
export function keySetTarget(open = jwksOf): Target {
  const algorithms = ["RS256", "ES256"] as const;
  const signers = algorithms.map((algorithm) => ({ algorithm, keys: newKeys(algorithm) }));
  return {
    name: "key sets",
    corpus: bytesOf(...signers.map(keySetOf)),
    dictionary: bytesOf(
      ...[
        '"kty":"oct",',
        '"kty":"OKP",',
        '"use":"enc",',
        '"key_ops":["sign"],',
        '"n":1,',
        '"kid":"k",',
        "null",
        "[]",
        "{}",
      ],
      ...[
        '"d":"AA",',
        '"x5c":[],',
        '"ext":false,',
        '"crv":"P-521",',
        '"oth":[],',
        "A",
        "=",
        '"keys":[',
        "\ufeff",
        '"e":"",',
      ],
    ),
    generate: (dice) =>
      Buffer.from(`{"keys":[${randomJson(dice, ["kty", "kid", "n", "e", "x", "y", "crv", "alg", "use"])}]}`),
    async run(input, dice) {
      try {
        const key = await open(textOf(input)).key({ alg: dice.of(algorithms), kid: "k" });
        requireThat(key.type === "public", `is a ${key.type} key`);
        return ACCEPTED;
      } catch (error) {
        if (error instanceof errors.JWKSNoMatchingKey) return "no such key";
        if (error instanceof errors.JOSENotSupported) return "not supported";
        if (error instanceof ServiceError && error.code === "service_unavailable")
          return `unavailable: ${error.cause instanceof Error ? kindOf(error.cause.message) : ""}`;
        throw error;
      }
    },
  };
}
