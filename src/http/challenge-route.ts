/** The routes that issue challenges. They call no store. */
import { Elysia } from "elysia";
import { encodeBase64 } from "../crypto/encoding.ts";
import { CHALLENGE_BYTES, type Operation } from "../proofs/challenge-tokens.ts";
import { creationOptions, requestOptions } from "../proofs/passkey/webauthn-options.ts";
import type { KeypairChallenge } from "../protocol/challenge.ts";
import {
  type BoundMembers,
  createChallenges,
  keypairChallenges,
  passkeyChallenges,
} from "../protocol/challenge-operations.ts";
import type { Services } from "../services.ts";
import { jsonBody, optionalJsonBody } from "./body/body.ts";
import { describeOperation } from "./reference/openapi.ts";
import type { Reply } from "./response/reply.ts";

type Issuer = Pick<Services, "challengeTokens" | "random" | "config">;

const VALIDITY = "Valid for 15 minutes, for this operation only, and once.";
const KEYPAIR_DESCRIPTION = `Returns 32 random bytes for a P-256 keypair to sign, and a token that goes with the solved challenge. ${VALIDITY}`;

/** `/v1/<operation>/challenge/keypair`. `purpose` completes "A challenge to …". */
export function keypairChallengeRoute(
  issuer: Issuer,
  { operation, purpose }: { readonly operation: keyof typeof keypairChallenges; readonly purpose: string },
) {
  const wire = keypairChallenges[operation];
  const request: BoundMembers = wire.request;
  const bound = Object.keys(request.properties);
  return new Elysia({ name: `challenge/${operation}` }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> =>
      issueKeypairChallenge(
        issuer,
        operation,
        Object.fromEntries(bound.map((member) => [member, body[member] ?? ""])),
      ),
    {
      ...jsonBody(request),
      detail: describeOperation(wire, {
        tag: "Challenges",
        summary: `A challenge to ${purpose}`,
        description:
          KEYPAIR_DESCRIPTION +
          bound.map((member) => ` The token is bound to the \`${member}\` sent here.`).join(""),
        errors: [],
      }),
    },
  );
}

/** `/v1/<operation>/challenge/passkey`, for existing passkeys. `purpose` as in {@link keypairChallengeRoute}. */
export function passkeyChallengeRoute(
  { challengeTokens, random, config }: Issuer,
  { operation, purpose }: { readonly operation: keyof typeof passkeyChallenges; readonly purpose: string },
) {
  const wire = passkeyChallenges[operation];
  return new Elysia({ name: `passkey-challenge/${operation}` }).post(
    wire.path,
    async (): Reply<typeof wire> => {
      const { options, challenge } = requestOptions(config.webauthn, random);
      return { challenge: options, token: await challengeTokens.issue("passkey", challenge, { operation }) };
    },
    {
      ...optionalJsonBody(wire.request),
      detail: describeOperation(wire, {
        tag: "Challenges",
        summary: `A passkey challenge to ${purpose}`,
        description: `Returns options for a passkey that the device can offer, and a token that goes with its response. The body may be left out. ${VALIDITY}`,
        errors: [],
      }),
    },
  );
}

/** `/v1/create/challenge/keypair` and `/v1/create/challenge/passkey`, which also issue a challenge for the account key. */
export function createChallengeRoutes(issuer: Issuer) {
  const { challengeTokens, random, config } = issuer;
  const { keypair, passkey } = createChallenges;
  return new Elysia({ name: "challenge/create" })
    .post(
      keypair.path,
      async (): Reply<typeof keypair> => ({
        ...(await issueKeypairChallenge(issuer, "create", {})),
        ...(await issueAccountChallenge(issuer)),
      }),
      {
        ...jsonBody(keypair.request),
        detail: describeOperation(keypair, {
          tag: "Challenges",
          summary: "A challenge to create a backup with a keypair",
          description: KEYPAIR_DESCRIPTION,
          errors: [],
        }),
      },
    )
    .post(
      passkey.path,
      async ({ body }): Reply<typeof passkey> => {
        const { options, challenge } = creationOptions(config.webauthn, random, body);
        return {
          challenge: options,
          token: await challengeTokens.issue("passkey", challenge, { operation: "create" }),
          ...(await issueAccountChallenge(issuer)),
        };
      },
      {
        ...jsonBody(passkey.request),
        detail: describeOperation(passkey, {
          tag: "Challenges",
          summary: "A challenge to create a backup with a passkey",
          description: `Returns options to make a passkey, and a token that goes with the registration. ${VALIDITY}`,
          errors: ["webauthn_error"],
        }),
      },
    );
}

async function issueKeypairChallenge(
  { challengeTokens, random }: Issuer,
  operation: Operation,
  bindings: Readonly<Record<string, string>>,
): Promise<KeypairChallenge> {
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
