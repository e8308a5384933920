/** Challenges, proofs, and requests that are sent again: what the operations of the client share. */
import type { KeypairSolvable } from "../protocol/challenge-operations.ts";
import { challengePath } from "../protocol/paths.ts";
import { decodeBase64 } from "./base64.ts";
import type { Context } from "./context.ts";
import { OutcomeUnknownError } from "./errors.ts";
import type { AccountSession } from "./factors/account.ts";
import { type KeypairFactor, keypairAuthorization } from "./factors/keypair.ts";
import type { MainFactor } from "./factors/main-factor.ts";
import type { CallOptions, Sendable } from "./transport/connection.ts";
import { type Settlement, sendProof, sendRead } from "./transport/retries.ts";
import type { Authorization, CreationOptions, RequestOptions } from "./wire.ts";

/** A proof as requests have it. */
export interface Proof {
  readonly authorization: Authorization;
  readonly challengeToken: string;
}

/** A challenge of `create` has one for the account key besides. */
export interface IssuedChallenge<T> {
  readonly challenge: T;
  readonly token: string;
  readonly backupAccountChallenge?: string;
  readonly backupAccountChallengeToken?: string;
}

/** Sends what may be sent any number of times. `T` is what the protocol says of the response. */
export async function read<T>(context: Context, request: Sendable, options: CallOptions): Promise<T> {
  return (await sendRead(context.connection.prepare(request), context.retries, options)) as T; // as the service sends it
}

/** Sends a proof, the same request at each attempt. */
export function sendWithProof<T>(
  context: Context,
  request: Sendable,
  settlement: Settlement<T>,
  options: CallOptions,
): Promise<T> {
  const send = context.connection.prepare(request);
  return sendProof(async () => (await send(options)) as T, settlement, context.retries, options); // as the service sends it
}

export function keypairChallenge(
  context: Context,
  operation: KeypairSolvable,
  bound: object,
  options: CallOptions,
): Promise<IssuedChallenge<string>> {
  return read(
    context,
    {
      path: challengePath(operation, "keypair"),
      body: bound,
      expects: { challenge: "string", token: "string" },
    },
    options,
  );
}

export function passkeyChallenge<T extends CreationOptions | RequestOptions>(
  context: Context,
  operation: KeypairSolvable,
  body: object,
  options: CallOptions,
): Promise<IssuedChallenge<T>> {
  return read(
    context,
    { path: challengePath(operation, "passkey"), body, expects: { challenge: "object", token: "string" } },
    options,
  );
}

/** A keypair solves a challenge. @param bound the members that the challenge is bound to. */
export async function keypairProof(
  context: Context,
  operation: KeypairSolvable,
  factor: KeypairFactor,
  bound: object,
  options: CallOptions,
): Promise<Proof> {
  const { challenge, token } = await keypairChallenge(context, operation, bound, options);
  return { authorization: await keypairAuthorization(factor, challenge), challengeToken: token };
}

/** An existing main factor solves a challenge. */
export async function mainProof(
  context: Context,
  operation: "retrieve" | "verify-factor" | "undelete",
  factor: MainFactor,
  bound: object,
  options: CallOptions,
): Promise<Proof> {
  switch (factor.kind) {
    case "EC_KEYPAIR":
      return keypairProof(context, operation, factor, bound, options);
    case "PASSKEY": {
      const asked = await passkeyChallenge<RequestOptions>(context, operation, bound, options);
      return { authorization: await factor.assert(asked.challenge), challengeToken: asked.token };
    }
    case "OIDC_ACCOUNT": {
      const session = await factor.signIn();
      const { challenge, token } = await keypairChallenge(context, operation, bound, options);
      return { authorization: await sessionAuthorization(session, challenge), challengeToken: token };
    }
  }
}

/** The session of an account signs a challenge. */
export function sessionAuthorization(session: AccountSession, challenge: string): Promise<Authorization> {
  return session.authorize(decodeBase64(challenge));
}

/** How often an operation that changes nothing starts from its challenge. */
const STARTS = 3;

/**
 * An operation with a proof that changes nothing. Where a response was lost although the challenge was consumed, it starts
 * again with another challenge, unless that would ask the user again: then the error says why there was no response.
 */
export async function readWithProof<T>(
  context: Context,
  factor: MainFactor,
  prove: () => Promise<Proof>,
  request: (proof: Proof) => Sendable,
  options: CallOptions,
): Promise<T> {
  let lost: unknown;
  for (let start = 0; start < STARTS; start++) {
    const send = context.connection.prepare(request(await prove()));
    const outcome = await sendProof<{ readonly response: T } | null>(
      async () => ({ response: (await send(options)) as T }), // as the service sends it
      {
        async tookEffect(error) {
          lost = error;
          return null;
        },
      },
      context.retries,
      options,
    ).catch((error) => {
      throw error instanceof OutcomeUnknownError ? error.cause : error; // a read has no outcome
    });
    if (outcome !== null) return outcome.response;
    if (factor.kind !== "EC_KEYPAIR") break;
  }
  throw lost;
}
