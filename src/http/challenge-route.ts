/** The endpoints that hand out challenges. They touch no store. */
import { type TString, type TUnsafe, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { CHALLENGE_BYTES, type Operation } from "../auth/challenge-tokens.ts";
import {
  CreationOptions,
  creationOptions,
  Platform,
  RequestOptions,
  requestOptions,
} from "../auth/webauthn-options.ts";
import { encodeBase64 } from "../crypto/encoding.ts";
import type { Services } from "../services.ts";
import { jsonBody, optionalJsonBody } from "./body.ts";
import { examples } from "./examples.ts";
import { operation as describeOperation } from "./openapi.ts";
import { ChallengeToken, object, PasskeyName, type Reply } from "./schemas.ts";

type Issuer = Pick<Services, "challengeTokens" | "random" | "config">;

type BoundText = TString | TUnsafe<string>;

export const Challenge = Type.String({
  description: "Base64 of the 32 random bytes to sign: the signature is over these bytes.",
  example: examples.challenge,
});

export const KeypairChallenge = Type.Object({ challenge: Challenge, token: ChallengeToken });

/** With what is needed to show that the account id of a new backup is one's own. */
const AccountChallenge = {
  backupAccountChallenge: Type.String({
    description: "Base64 of 32 random bytes for the secp256k1 key of the account id to sign.",
    example: examples.challenge,
  }),
  backupAccountChallengeToken: ChallengeToken,
};
export const KeypairCreateChallenge = Type.Object({ ...KeypairChallenge.properties, ...AccountChallenge });
export const PasskeyCreateChallenge = Type.Object({
  challenge: CreationOptions,
  token: ChallengeToken,
  ...AccountChallenge,
});
export const PasskeyChallenge = Type.Object({ challenge: RequestOptions, token: ChallengeToken });

const VALIDITY = "Valid for 15 minutes, for this operation only, and once.";
const KEYPAIR_DESCRIPTION = `Returns 32 random bytes for a P-256 keypair to sign, and a token that goes with the solved challenge. ${VALIDITY}`;

export interface KeypairChallengeRoute {
  /** The operation that the solved challenge is for; `/v1/<operation>/challenge/keypair` is the path. */
  readonly operation: Operation;
  /** What the challenge is for, to complete "A challenge to …". */
  readonly purpose: string;
  /** The member of the request that the token is bound to, if any. */
  readonly bound?: { readonly name: string; readonly schema: BoundText };
}

/** `/v1/<operation>/challenge/keypair`. */
export function keypairChallengeRoute(issuer: Issuer, { operation, purpose, bound }: KeypairChallengeRoute) {
  return new Elysia({ name: `challenge/${operation}` }).post(
    `/v1/${operation}/challenge/keypair`,
    async ({ body }): Reply<typeof KeypairChallenge> => {
      const bindings = bound === undefined ? {} : { [bound.name]: body[bound.name] ?? "" };
      return issueKeypairChallenge(issuer, operation, bindings);
    },
    {
      ...jsonBody(
        object<Record<string, BoundText>>(bound === undefined ? {} : { [bound.name]: bound.schema }),
      ),
      detail: describeOperation({
        tag: "Challenges",
        summary: `A challenge to ${purpose}`,
        description:
          KEYPAIR_DESCRIPTION +
          (bound === undefined ? "" : ` The token is bound to the \`${bound.name}\` sent here.`),
        response: KeypairChallenge,
        errors: [],
      }),
    },
  );
}

/** `/v1/<operation>/challenge/passkey`, for passkeys that exist. */
export function passkeyChallengeRoute(
  { challengeTokens, random, config }: Issuer,
  { operation, purpose }: Omit<KeypairChallengeRoute, "bound">,
) {
  return new Elysia({ name: `passkey-challenge/${operation}` }).post(
    `/v1/${operation}/challenge/passkey`,
    async (): Reply<typeof PasskeyChallenge> => {
      const { options, challenge } = requestOptions(config.webauthn, random);
      return { challenge: options, token: await challengeTokens.issue("passkey", challenge, { operation }) };
    },
    {
      ...optionalJsonBody(object({})),
      detail: describeOperation({
        tag: "Challenges",
        summary: `A passkey challenge to ${purpose}`,
        description: `Returns options for a passkey that the device can offer, and a token that goes with its response. The body may be left out. ${VALIDITY}`,
        response: PasskeyChallenge,
        errors: [],
      }),
    },
  );
}

/** `/v1/create/challenge/keypair` and `/v1/create/challenge/passkey`, which also challenge the account key. */
export function createChallengeRoutes(issuer: Issuer) {
  const { challengeTokens, random, config } = issuer;
  return new Elysia({ name: "challenge/create" })
    .post(
      "/v1/create/challenge/keypair",
      async (): Reply<typeof KeypairCreateChallenge> => ({
        ...(await issueKeypairChallenge(issuer, "create", {})),
        ...(await issueAccountChallenge(issuer)),
      }),
      {
        ...jsonBody(object({})),
        detail: describeOperation({
          tag: "Challenges",
          summary: "A challenge to create a backup with a keypair",
          description: KEYPAIR_DESCRIPTION,
          response: KeypairCreateChallenge,
          errors: [],
        }),
      },
    )
    .post(
      "/v1/create/challenge/passkey",
      async ({ body }): Reply<typeof PasskeyCreateChallenge> => {
        const { options, challenge } = creationOptions(config.webauthn, random, body);
        return {
          challenge: options,
          token: await challengeTokens.issue("passkey", challenge, { operation: "create" }),
          ...(await issueAccountChallenge(issuer)),
        };
      },
      {
        ...jsonBody(object({ name: PasskeyName, displayName: PasskeyName, platform: Platform })),
        detail: describeOperation({
          tag: "Challenges",
          summary: "A challenge to create a backup with a passkey",
          description: `Returns options to make a passkey, and a token that goes with the registration. ${VALIDITY}`,
          response: PasskeyCreateChallenge,
          errors: ["webauthn_error"],
        }),
      },
    );
}

async function issueKeypairChallenge(
  { challengeTokens, random }: Issuer,
  operation: Operation,
  bindings: Readonly<Record<string, string>>,
): Reply<typeof KeypairChallenge> {
  const challenge = random.bytes(CHALLENGE_BYTES);
  return {
    challenge: encodeBase64(challenge),
    token: await challengeTokens.issue("keypair", challenge, { operation, bindings }),
  };
}

async function issueAccountChallenge(issuer: Issuer) {
  const { challenge, token } = await issueKeypairChallenge(issuer, "backup-account", {});
  return { backupAccountChallenge: challenge, backupAccountChallengeToken: token };
}
