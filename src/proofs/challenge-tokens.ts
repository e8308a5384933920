/**
 * Challenge tokens: the client keeps what the service needs to know of a challenge when it is solved. A token is a
 * compact JWE (RFC 7516) with a key of the service (`alg` dir, `enc` A256GCM), so nobody else can read, alter or make
 * one, and no store is needed until the challenge is consumed.
 */
import { isDeepStrictEqual } from "node:util";
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { CompactEncrypt, errors, jwtDecrypt } from "jose";
import type { ChallengeTokenKey } from "../config/challenge-tokens.ts";
import { decodeBase64Url, encodeBase64Url, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { memoise } from "../runtime/memoise.ts";
import type { Nonce } from "../runtime/nonce.ts";

/** How a challenge is solved: by a P-256 (or secp256k1) signature over its bytes, or by a WebAuthn ceremony. */
export type ChallengeType = "keypair" | "passkey";

const OPERATIONS = [
  "create",
  "retrieve",
  "verify-factor",
  "add-sync-factor",
  "sync",
  "restore-version",
  "undelete",
  "events",
  "retrieve-metadata",
  "delete-factor",
  "delete-backup",
  "reset",
  "add-factor", // the half that an existing factor solves
  "add-factor-new", // the half that the new factor solves
  "backup-account", // the ownership of the account id of a new backup
] as const;
export type Operation = (typeof OPERATIONS)[number];

type Bindings = Readonly<Record<string, string>>;

/** What a challenge was issued for. A token opens only in exactly this context. */
export interface ChallengeContext {
  readonly operation: Operation;
  /** What else the token is bound to, such as the factor to delete. */
  readonly bindings?: Bindings;
}

/** Issues and opens challenge tokens. Keeps no state: the record store knows which nonces were consumed. */
export interface ChallengeTokens {
  /** Makes a token for `challenge`, valid from now for 15 minutes. */
  issue(type: ChallengeType, challenge: Uint8Array, context: ChallengeContext): Promise<string>;

  /**
   * Opens a token and returns the challenge with the nonce to consume. The caller checks the context.
   *
   * @throws ServiceError `jwt_error` when it was not issued here or for this app, has expired, is not yet valid, or was
   *   issued before the records were restored; `unexpected_challenge_type`.
   */
  read(token: string, type: ChallengeType): Promise<OpenedChallenge>;

  /**
   * Opens a token and checks its context.
   *
   * @throws ServiceError as {@link read}; `invalid_challenge_context` when it was issued in another context.
   */
  open(token: string, type: ChallengeType, context: ChallengeContext): Promise<OpenedChallenge>;
}

export const CHALLENGE_BYTES = 32;

export interface OpenedChallenge {
  readonly challenge: Uint8Array;
  readonly nonce: Nonce;
  /** When the token was issued, by the clock of the process that did. */
  readonly issuedAtMs: number;
  readonly context: Required<ChallengeContext>;
}

const issuedPayload = memoise(() =>
  TypeCompiler.Compile(
    Type.Object({
      type: Type.String(),
      challenge: Type.String(),
      operation: Type.Union(OPERATIONS.map((operation) => Type.Literal(operation))),
      bindings: Type.Record(Type.String(), Type.String()),
      app: Type.Optional(Type.String()),
      iat: Type.Optional(Type.Number()), // earlier versions wrote none
      exp: Type.Integer(),
    }),
  ),
);

export const CHALLENGE_LIFETIME_S = 15 * 60;
/** A token may be opened just before it expires and consumed later. */
const CONSUMED_MARGIN_MS = 10 * 60 * 1000;
/** The largest expected difference between the clocks of the processes that issue and open tokens. */
const CLOCK_SKEW_S = 5;

/**
 * @param keys the first encrypts, all decrypt. To rotate: append the new key, move it to the front, remove the old one.
 * @param earliestMs tokens issued before this time are refused.
 * @param app the name of the app that the tokens are for, which is in them; `null` for the app without a name in what it
 *   stores. Tokens of another app are refused like those of another service.
 */
export async function createChallengeTokens(
  keys: readonly ChallengeTokenKey[],
  clock: Clock,
  earliestMs: () => Promise<number> = async () => 0,
  app: string | null = null,
): Promise<ChallengeTokens> {
  const imported = new Map<string, CryptoKey>();
  for (const { kid, secret } of keys) {
    const raw = new Uint8Array(secret);
    imported.set(kid, await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]));
  }
  const [first] = imported;
  if (first === undefined) throw new Error("at least one challenge token key is needed");
  const [encryptionKid, encryptionKey] = first;

  return {
    async issue(type, challenge, { operation, bindings }) {
      const nowMs = clock.nowMs();
      const nowS = Math.floor(nowMs / 1000);
      const claims = {
        type,
        challenge: encodeBase64Url(challenge),
        operation,
        bindings: bindings ?? {},
        ...(app !== null && { app }),
        iat: nowMs / 1000, // a NumericDate may have a fraction (RFC 7519 §2)
        nbf: nowS - CLOCK_SKEW_S,
        exp: nowS + CHALLENGE_LIFETIME_S,
      };
      // EncryptJWT would make a deep copy of the claims first, which takes a fifth of the time.
      return new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: encryptionKid })
        .encrypt(encryptionKey);
    },

    read,

    async open(token, type, context) {
      const opened = await read(token, type);
      if (!isDeepStrictEqual(opened.context, { bindings: {}, ...context })) throw invalidContext();
      return opened;
    },
  };

  async function read(token: string, type: ChallengeType): Promise<OpenedChallenge> {
    const { payload } = await jwtDecrypt(
      token,
      ({ kid }) => {
        const key = imported.get(kid ?? "");
        if (key === undefined) throw new errors.JWEInvalid("unknown kid");
        return key;
      },
      {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
        currentDate: new Date(clock.nowMs()),
        requiredClaims: ["nbf", "exp"],
      },
    ).catch((error: unknown) => {
      if (!(error instanceof errors.JOSEError)) throw error;
      throw invalidToken(error);
    });

    if (!issuedPayload().Check(payload))
      throw invalidToken("another version of the service wrote its claims");
    if ((payload.app ?? null) !== app) throw invalidToken("the token is for another app");
    const issuedAtMs = Math.round((payload.iat ?? payload.exp - CHALLENGE_LIFETIME_S) * 1000);
    if (issuedAtMs < (await earliestMs()))
      throw invalidToken("the token was issued before the records were restored");
    const { operation, bindings } = payload;
    const challenge = decodeBase64Url(payload.challenge);
    if (challenge === null) throw invalidToken("the challenge is not base64url");
    if (payload.type !== type)
      throw new ServiceError(
        "unexpected_challenge_type",
        `The challenge token is not for a ${type} challenge`,
      );
    return {
      challenge,
      // the hash of the challenge: the text of the token may have several forms
      nonce: {
        id: `challenge|${encodeBase64Url(sha256(challenge))}`,
        expiresAtMs: payload.exp * 1000 + CONSUMED_MARGIN_MS,
      },
      issuedAtMs,
      context: { operation, bindings },
    };
  }
}

function invalidToken(cause: unknown): ServiceError {
  return new ServiceError("jwt_error", "The challenge token is not valid or has expired", { cause });
}

export function invalidContext(): ServiceError {
  return new ServiceError("invalid_challenge_context", "The challenge token was issued for something else");
}
