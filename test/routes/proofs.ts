/** What every call that a keypair authorises promises about the proof, whatever the factor is. */
import { beforeAll, describe, expect, test } from "bun:test";
import { type ChallengeContext, createChallengeTokens } from "../../src/proofs/challenge-tokens.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  type Caller,
  KEYPAIR_OPERATIONS,
  type Proof,
  type ProvenCall,
  proofOf,
  proofUnder,
} from "../support/proven-calls.ts";
import type { TestService } from "../support/service.ts";
import { signed } from "../support/users.ts";
import { WRONG_KEYPAIR_PROOFS } from "../support/wrong-keypair-proofs.ts";

const MINUTE_MS = 60_000;
const HEADER = Buffer.from('{"alg":"none"}').toString("base64url");
const CLAIMS = Buffer.from('{"type":"keypair"}').toString("base64url");

/** No failure of these uses the token up: the same proof without the fault is accepted in the end. */
export function proofContract(service: () => TestService, call: ProvenCall): void {
  describe(`the proof of ${call.name}`, () => {
    let prepared: Caller | null = null;
    const caller = (): Caller => prepared ?? fail();
    beforeAll(async () => {
      prepared = await call.prepare(service().client);
    });
    const context = (): ChallengeContext => ({
      operation: call.operation,
      bindings: caller().bound as Record<string, string>,
    });
    const issue =
      (type: "keypair" | "passkey", where = context()) =>
      (challenge: Uint8Array) =>
        service().services.challengeTokens.issue(type, challenge, where);
    const fresh = async () => {
      const { client } = service();
      const { challenge, token } = (await client.keypairChallenge(call.operation, caller().bound)).ok();
      return { challenge, challengeToken: token };
    };
    const expectCode = async (proof: Proof, code: string) => {
      const answer = await caller().send(proof);
      expect([answer.status, answer.code()]).toEqual([400, code]);
    };

    for (const [name, change] of WRONG_KEYPAIR_PROOFS)
      test(`with ${name} is refused`, async () => {
        const { challenge, challengeToken } = await fresh();
        const proof = signed(caller().keypair, challenge);
        const wrong = change(proof, challenge);
        expect(wrong).not.toEqual({ publicKey: proof.publicKey, signature: proof.signature });
        const authorization = { ...proof, ...wrong };
        await expectCode({ authorization, challengeToken }, "signature_verification_error");
      });

    const tokens: readonly (readonly [name: string, change: (token: string) => string])[] = [
      ["empty", () => ""],
      ["a word", () => "token"],
      ["a backup id", () => caller().user.account.backupAccountId],
      ["five empty parts", () => "...."],
      ["cut off", (token) => token.slice(0, -10)],
      ["without its tag", (token) => token.slice(0, token.lastIndexOf("."))],
      ["altered in its ciphertext", (token) => altered(token, 3)],
      ["altered in its initialisation vector", (token) => altered(token, 2)],
      ["altered in its header", (token) => altered(token, 0)],
      ["altered in its tag", (token) => altered(token, 4)],
      ["followed by a part", (token) => `${token}.AAAA`],
      ["an unsecured JWT", () => `${HEADER}.${CLAIMS}.`],
      [
        "a JWE with no known key id",
        (token) => withHeader(token, { alg: "dir", enc: "A256GCM", kid: "other" }),
      ],
      [
        "a JWE with a key id that is no string",
        (token) => withHeader(token, { alg: "dir", enc: "A256GCM", kid: 7 }),
      ],
      [
        "a JWE of another algorithm",
        (token) => withHeader(token, { alg: "A256KW", enc: "A256GCM", kid: "test" }),
      ],
      [
        "a compressed JWE",
        (token) => withHeader(token, { alg: "dir", enc: "A256GCM", kid: "test", zip: "DEF" }),
      ],
      ["of text that is no base64", () => "ä.ö.ü.\u0000.\ud800"],
    ];
    for (const [name, change] of tokens)
      test(`under a token that is ${name} is refused`, async () => {
        const { challenge, challengeToken } = await fresh();
        const authorization = signed(caller().keypair, challenge);
        await expectCode({ authorization, challengeToken: change(challengeToken) }, "jwt_error");
      });

    test("under a token of another service is refused", async () => {
      const foreign = await createChallengeTokens(
        [{ kid: "test", secret: new Uint8Array(32).fill(8) }],
        service().clock,
      );
      const proof = await proofUnder((challenge) => foreign.issue("keypair", challenge, context()), caller());
      await expectCode(proof, "jwt_error");
    });

    test("is good for 15 minutes and no second more", async () => {
      const { client, clock } = service();
      const proof = await proofOf(client, call, caller());
      const issuedMs = clock.nowMs();
      clock.advance(15 * MINUTE_MS);
      await expectCode(proof, "jwt_error");
      clock.set(issuedMs + 15 * MINUTE_MS - 1_000);
      await expectCode(await withBadSignature(proof), "signature_verification_error"); // as far as the signature
    });

    test("is refused before its token is valid", async () => {
      const { client, clock } = service();
      const proof = await proofOf(client, call, caller());
      clock.advance(-MINUTE_MS);
      await expectCode(proof, "jwt_error");
      clock.advance(MINUTE_MS);
    });

    test("under the token of a passkey challenge is refused", async () => {
      await expectCode(await proofUnder(issue("passkey"), caller()), "unexpected_challenge_type");
    });

    for (const operation of KEYPAIR_OPERATIONS.filter((other) => other !== call.operation))
      test(`for ${operation} is refused`, async () => {
        const { client } = service();
        const { bound, keypair, user } = caller();
        const all = {
          factorId: "none",
          versionId: "none",
          backupId: "none",
          backupAccountId: user.account.backupAccountId,
          ...bound,
        };
        const { challenge, token } = (await client.keypairChallenge(operation, all)).ok();
        const proof = { authorization: signed(keypair, challenge), challengeToken: token };
        await expectCode(proof, "invalid_challenge_context");
      });

    const bindings: readonly (readonly [
      name: string,
      change: (bound: Record<string, string>) => Record<string, string>,
    ])[] = [
      ["more", (bound) => ({ ...bound, more: "" })],
      [
        "the factor id of another",
        (bound) => ({ ...bound, factorId: "c0ffee00-0000-4000-8000-000000000000" }),
      ],
      [
        "the account id of another",
        (bound) => ({ ...bound, backupAccountId: `backup_account_02${"1".repeat(64)}` }),
      ],
    ];
    for (const [name, change] of bindings)
      test(`under a token that is bound to ${name} is refused`, async () => {
        const { operation, bindings: bound = {} } = context();
        const proof = await proofUnder(issue("keypair", { operation, bindings: change(bound) }), caller());
        await expectCode(proof, "invalid_challenge_context");
      });

    describe("of several faults the first in order is reported", () => {
      const elsewhere = (): ChallengeContext => ({
        operation: KEYPAIR_OPERATIONS.find((operation) => operation !== call.operation) ?? "reset",
      });
      const cases: readonly (readonly [name: string, proof: () => Promise<Proof>, code: string])[] = [
        [
          "token before signature",
          async () => ({
            ...(await withBadSignature(await proofUnder(issue("keypair"), caller()))),
            challengeToken: "x",
          }),
          "jwt_error",
        ],
        [
          "type before operation",
          () => proofUnder(issue("passkey", elsewhere()), caller()),
          "unexpected_challenge_type",
        ],
        [
          "type before signature",
          async () => withBadSignature(await proofUnder(issue("passkey"), caller())),
          "unexpected_challenge_type",
        ],
        [
          "operation before signature",
          async () => withBadSignature(await proofUnder(issue("keypair", elsewhere()), caller())),
          "invalid_challenge_context",
        ],
        [
          "operation before an unknown factor",
          () => proofUnder(issue("keypair", elsewhere()), { ...caller(), keypair: createFactorKeypair() }),
          "invalid_challenge_context",
        ],
        [
          "signature before an unknown factor",
          async () =>
            withBadSignature(
              await proofUnder(issue("keypair"), { ...caller(), keypair: createFactorKeypair() }),
            ),
          "signature_verification_error",
        ],
      ];
      for (const [name, proof, code] of cases)
        test(name, async () => {
          await expectCode(await proof(), code);
        });
    });

    test("that failed in many ways is accepted once it is correct, and only once", async () => {
      const { client, clock } = service();
      const proof = await proofOf(client, call, caller());
      await expectCode(await withBadSignature(proof), "signature_verification_error");
      await expectCode({ ...proof, challengeToken: "x" }, "jwt_error");
      clock.advance(-MINUTE_MS);
      await expectCode(proof, "jwt_error");
      clock.advance(MINUTE_MS);

      expect((await caller().send(proof)).status).toBeLessThan(300);
      await expectCode(proof, "already_used");
      await expectCode({ ...proof, challengeToken: `${proof.challengeToken} ` }, "already_used");
      await expectCode(await withBadSignature(proof), "signature_verification_error");
      clock.advance(15 * MINUTE_MS);
      await expectCode(proof, "jwt_error");
    });
  });
}

async function withBadSignature(proof: Proof): Promise<Proof> {
  const { publicKey } = proof.authorization as { readonly publicKey: string };
  const signature = createFactorKeypair().sign(Buffer.alloc(32).toString("base64"));
  return { ...proof, authorization: { kind: "EC_KEYPAIR", publicKey, signature } };
}

/** The token with the first character of one of its parts changed. */
function altered(token: string, part: number): string {
  const parts = token.split(".");
  const text = parts[part] ?? "";
  parts[part] = (text.startsWith("A") ? "B" : "A") + text.slice(1);
  return parts.join(".");
}

function withHeader(token: string, header: object): string {
  const encoded = Buffer.from(JSON.stringify(header)).toString("base64url");
  return encoded + token.slice(token.indexOf("."));
}

function fail(): never {
  throw new Error("the caller has not been prepared");
}
