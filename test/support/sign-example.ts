/**
 * Prints what nobody can write by hand into an example of the API reference: a challenge token, the challenge in it, and
 * each key's signature over that challenge.
 *
 *   bun test/support/sign-example.ts delete-factor 0 '{"factorId":"9d3b6a58-7f1e-4c1d-8a55-3b0e2c9f4d33"}'
 *
 * The arguments are the operation, which of the service's challenges it is (the first is 0), and what it is bound to.
 */
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { createChallengeTokens, type Operation } from "../../src/proofs/challenge-tokens.ts";
import { EXAMPLE_TOKEN_KEY, exampleBytes } from "./example-bytes.ts";
import { SettableClock } from "./settable-clock.ts";

/** The private keys of the examples are the numbers 1 to 4, that of the account is 1. */
const FACTORS = { main: 1, phone: 2, tablet: 3, added: 4 };

const [operation = "", index = "0", bindings = "{}"] = process.argv.slice(2);
const challenge = exampleBytes(32, Number(index));
const tokens = await createChallengeTokens([EXAMPLE_TOKEN_KEY], new SettableClock());
const context = { operation: operation as Operation, bindings: JSON.parse(bindings) };
const der = { format: "der", lowS: false } as const;
const factors = Object.entries(FACTORS).map(([name, key]) => {
  const publicKey = base64(p256.getPublicKey(secret(key), false));
  return [name, { publicKey, signature: base64(p256.sign(challenge, secret(key), der)) }];
});
const printed = {
  challenge: base64(challenge),
  token: await tokens.issue("keypair", challenge, context),
  factors: Object.fromEntries(factors),
  account: base64(secp256k1.sign(challenge, secret(1), { format: "der" })),
};
process.stdout.write(`${JSON.stringify(printed, null, 2)}\n`);

function secret(key: number): Uint8Array {
  return new Uint8Array(32).fill(key, 31);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
