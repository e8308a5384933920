import { type Static, type TString, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { Operation } from "../auth/challenge-tokens.ts";
import { encodeBase64 } from "../crypto/encoding.ts";
import type { Services } from "../services.ts";
import { jsonBody } from "./body.ts";
import { examples } from "./examples.ts";
import { operation as describeOperation } from "./openapi.ts";
import { ChallengeToken, object } from "./schemas.ts";

const CHALLENGE_BYTES = 32;

export const KeypairChallenge = Type.Object({
  challenge: Type.String({
    description: "Base64 of the 32 random bytes to sign: the signature is over these bytes.",
    example: examples.challenge,
  }),
  token: ChallengeToken,
});

export interface KeypairChallengeRoute {
  /** The operation that the solved challenge is for; `/v1/<operation>/challenge/keypair` is the path. */
  readonly operation: Operation;
  /** What the challenge is for, to complete "A challenge to …". */
  readonly purpose: string;
  /** The member of the request that the token is bound to, if any. */
  readonly bound?: { readonly name: string; readonly schema: TString };
}

/** The endpoint that hands out the keypair challenges of one operation. Touches no store. */
export function keypairChallengeRoute(
  { challengeTokens, random }: Pick<Services, "challengeTokens" | "random">,
  { operation, purpose, bound }: KeypairChallengeRoute,
) {
  return new Elysia({ name: `challenge/${operation}` }).post(
    `/v1/${operation}/challenge/keypair`,
    async ({ body }): Promise<Static<typeof KeypairChallenge>> => {
      const challenge = random.bytes(CHALLENGE_BYTES);
      const bindings = bound === undefined ? {} : { [bound.name]: body[bound.name] ?? "" };
      return {
        challenge: encodeBase64(challenge),
        token: await challengeTokens.issue("keypair", challenge, { operation, bindings }),
      };
    },
    {
      body: object<Record<string, TString>>(bound === undefined ? {} : { [bound.name]: bound.schema }),
      parse: jsonBody,
      detail: describeOperation({
        tag: "Challenges",
        summary: `A challenge to ${purpose}`,
        description:
          "Returns 32 random bytes for a P-256 keypair to sign, and a token that goes with the solved challenge. " +
          "Valid for 15 minutes, for this operation only, and once." +
          (bound === undefined ? "" : ` The token is bound to the \`${bound.name}\` sent here.`),
        response: KeypairChallenge,
        errors: [],
      }),
    },
  );
}
