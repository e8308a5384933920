/** The routes that issue challenges. They call no store. */
import { Elysia } from "elysia";
import { encodeBase64, encodeBase64Url } from "../crypto/encoding.ts";
import { jsonBody, optionalJsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { agreementTo, existingFactorContext, newFactorContext, requireMayAdd } from "../proofs/agreement.ts";
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

type Issuer = Pick<Services, "challengeTokens" | "random" | "config">;
type NewPasskey = Extract<NewFactor, { kind: "PASSKEY_REGISTRATION" }>;

const PAIR_BYTES = 16;

export function challenges(services: Services) {
  const app = new Elysia({ name: "challenges" }).use(forCreate(services)).use(forAddFactor(services));
  for (const operation of namesIn(keypairChallenges)) app.use(forKeypair(services, operation));
  for (const operation of namesIn(passkeyChallenges)) app.use(forPasskey(services, operation));
  return app;
}

function namesIn<Table extends object>(table: Table) {
  return Object.keys(table) as (keyof Table)[]; // a constant table has no other keys than its type
}

/** `/v1/<operation>/challenge/keypair`. */
function forKeypair(issuer: Issuer, operation: keyof typeof keypairChallenges) {
  const wire = keypairChallenges[operation];
  const request: BoundMembers = wire.request;
  const bound = Object.keys(request.properties);
  return new Elysia({ name: `challenge/${operation}` }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => issueKeypairChallenge(issuer, operation, bindingsIn(body, bound)),
    { ...jsonBody(request), detail: describeOperation(wire) },
  );
}

/** `/v1/<operation>/challenge/passkey`, for existing passkeys. */
function forPasskey({ challengeTokens, random, config }: Issuer, operation: keyof typeof passkeyChallenges) {
  const wire = passkeyChallenges[operation];
  const request: BoundMembers = wire.request;
  const bound = Object.keys(request.properties);
  return new Elysia({ name: `passkey-challenge/${operation}` }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const { options, challenge } = requestOptions(config.webauthn, random);
      const context = { operation, bindings: bindingsIn(body ?? {}, bound) };
      return { challenge: options, token: await challengeTokens.issue("passkey", challenge, context) };
    },
    {
      ...(wire.isBodyOptional ? optionalJsonBody(request) : jsonBody(request)),
      detail: describeOperation(wire),
    },
  );
}

function bindingsIn(
  body: Readonly<Record<string, string>>,
  bound: readonly string[],
): Record<string, string> {
  return Object.fromEntries(bound.map((member) => [member, body[member] ?? ""]));
}

/** `/v1/create/challenge/keypair` and `/v1/create/challenge/passkey`, which also issue a challenge for the account key. */
function forCreate(issuer: Issuer) {
  const { challengeTokens, random, config } = issuer;
  const { keypair, passkey } = createChallenges;
  return new Elysia({ name: "challenge/create" })
    .post(
      keypair.path,
      async (): Reply<typeof keypair> => ({
        ...(await issueKeypairChallenge(issuer, "create")),
        ...(await issueAccountChallenge(issuer)),
      }),
      { ...jsonBody(keypair.request), detail: describeOperation(keypair) },
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
      { ...jsonBody(passkey.request), detail: describeOperation(passkey, ["webauthn_error"]) },
    );
}

/** `/v1/add-factor/challenge`: one challenge for an existing main factor and one for the new one. */
function forAddFactor({ challengeTokens, random, config }: Issuer) {
  const { webauthn } = config;
  const wire = operations.addFactorChallenge;
  return new Elysia({ name: "challenge/add-factor" }).post(
    wire.path,
    async ({ body: { newFactor, existingFactorKind } }): Reply<typeof wire> => {
      const existing = existingFactorKind ?? "PASSKEY";
      requireMayAdd(existing, config.addFactor);
      const agreed = agreementTo(newFactor, encodeBase64Url(random.bytes(PAIR_BYTES)));
      const ofExisting =
        existing === "PASSKEY_ASSERTION" ? requestOptions(webauthn, random) : plainChallenge(random);
      const ofNew =
        newFactor.kind === "PASSKEY_REGISTRATION"
          ? creationOptions(webauthn, random, addedPasskey(newFactor, webauthn.rpName))
          : plainChallenge(random);
      const existingType = existing === "PASSKEY_ASSERTION" ? "passkey" : challengeTypeOf(existing);
      const [existingFactorToken, newFactorToken] = await Promise.all([
        challengeTokens.issue(existingType, ofExisting.challenge, existingFactorContext(existing, agreed)),
        challengeTokens.issue(challengeTypeOf(agreed.kind), ofNew.challenge, newFactorContext(agreed)),
      ]);
      return {
        existingFactorChallenge: ofExisting.options,
        existingFactorToken,
        newFactorChallenge: ofNew.options,
        newFactorToken,
      };
    },
    { ...jsonBody(wire.request), detail: describeOperation(wire, ["not_supported", "webauthn_error"]) },
  );
}

/** A passkey added to a backup recovers it on other devices, so it is discoverable on every platform. */
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
  bindings: Readonly<Record<string, string>> = {},
): Promise<KeypairChallenge> {
  const { challenge, options } = plainChallenge(random);
  const token = await challengeTokens.issue("keypair", challenge, { operation, bindings });
  return { challenge: options, token };
}

async function issueAccountChallenge(issuer: Issuer) {
  const { challenge, token } = await issueKeypairChallenge(issuer, "backup-account");
  return { backupAccountChallenge: challenge, backupAccountChallengeToken: token };
}
