/** The routes that issue challenges. They call no store. */
import { Elysia } from "elysia";
import { encodeBase64, encodeBase64Url } from "../crypto/encoding.ts";
import { agreementTo, existingFactorContext, newFactorContext } from "../proofs/agreement.ts";
import { CHALLENGE_BYTES, type Operation } from "../proofs/challenge-tokens.ts";
import { creationOptions, requestOptions } from "../proofs/passkey/webauthn-options.ts";
import { challengeTypeOf } from "../proofs/verify.ts";
import type { NewFactor } from "../protocol/add-factor.ts";
import type { KeypairChallenge } from "../protocol/challenge.ts";
import {
  type BoundMembers,
  createChallenges,
  keypairChallenges,
  passkeyChallenges,
} from "../protocol/challenge-operations.ts";
import { operations } from "../protocol/operations.ts";
import type { Random } from "../runtime/clock.ts";
import type { Services } from "../services.ts";
import { jsonBody, optionalJsonBody } from "./body/body.ts";
import { describeOperation } from "./reference/openapi.ts";
import type { Reply } from "./response/reply.ts";

type Issuer = Pick<Services, "challengeTokens" | "random" | "config">;
type NewPasskey = Extract<NewFactor, { kind: "PASSKEY_REGISTRATION" }>;

const PAIR_BYTES = 16;

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

/** `/v1/add-factor/challenge`: one challenge for an existing main factor and one for the new one. */
export function addFactorChallengeRoute({ challengeTokens, random, config: { webauthn } }: Issuer) {
  const wire = operations.addFactorChallenge;
  return new Elysia({ name: "challenge/add-factor" }).post(
    wire.path,
    async ({ body: { newFactor, existingFactorKind } }): Reply<typeof wire> => {
      const existing = existingFactorKind ?? "PASSKEY";
      const agreed = agreementTo(newFactor, encodeBase64Url(random.bytes(PAIR_BYTES)));
      const asked =
        existing === "PASSKEY_ASSERTION" ? requestOptions(webauthn, random) : plainChallenge(random);
      const offered =
        newFactor.kind === "PASSKEY_REGISTRATION"
          ? creationOptions(webauthn, random, addedPasskey(newFactor, webauthn.rpName))
          : plainChallenge(random);
      const existingType = existing === "PASSKEY_ASSERTION" ? "passkey" : challengeTypeOf(existing);
      const [existingFactorToken, newFactorToken] = await Promise.all([
        challengeTokens.issue(existingType, asked.challenge, existingFactorContext(existing, agreed)),
        challengeTokens.issue(challengeTypeOf(agreed.kind), offered.challenge, newFactorContext(agreed)),
      ]);
      return {
        existingFactorChallenge: asked.options,
        existingFactorToken,
        newFactorChallenge: offered.options,
        newFactorToken,
      };
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, {
        tag: "Challenges",
        summary: "The two challenges to add a main factor",
        description:
          "One for an existing main factor, one for the new one. The existing factor's token commits to the new factor, " +
          "and the two tokens work only with each other. A passkey's challenge is an options object, other challenges are base64.",
        errors: ["webauthn_error"],
      }),
    },
  );
}

/** A passkey added to a backup recovers it on other devices, so it is discoverable whatever the platform. */
function addedPasskey({ name, displayName }: NewPasskey, rpName: string) {
  return { platform: "ANDROID", name: name ?? rpName, displayName: displayName ?? name ?? rpName } as const;
}

function plainChallenge(random: Random) {
  const challenge = random.bytes(CHALLENGE_BYTES);
  return { challenge, options: encodeBase64(challenge) };
}

async function issueKeypairChallenge(
  { challengeTokens, random }: Issuer,
  operation: Operation,
  bindings: Readonly<Record<string, string>>,
): Promise<KeypairChallenge> {
  const { challenge, options } = plainChallenge(random);
  return {
    challenge: options,
    token: await challengeTokens.issue("keypair", challenge, { operation, bindings }),
  };
}

async function issueAccountChallenge(issuer: Issuer) {
  const { challenge, token } = await issueKeypairChallenge(issuer, "backup-account", {});
  return { backupAccountChallenge: challenge, backupAccountChallengeToken: token };
}
