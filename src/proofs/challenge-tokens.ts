/**
 * Challenge tokens: what the service has to remember between handing out a challenge and seeing it solved, kept by
 * the client. A token is a compact JWE (RFC 7516) under a key of ours (`alg` dir, `enc` A256GCM), so nobody can read,
 * alter or make one, and no store is needed until the challenge is consumed.
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

/** What a challenge was issued for. A token opens only in the context it was issued in, to the letter. */
export interface ChallengeContext {
  readonly operation: Operation;
  /** What else the token is bound to, such as the factor to delete. */
  readonly bindings?: Bindings;
}

/** Hands out and opens challenge tokens. It keeps nothing: whether one was used before is for the record store to say. */
export interface ChallengeTokens {
  /** Makes a token for `challenge`, valid from now for 15 minutes. */
  issue(type: ChallengeType, challenge: Uint8Array, context: ChallengeContext): Promise<string>;

  /**
   * Opens a token and returns the challenge with the nonce to consume once it was solved. What it was issued for is for
   * the caller to check.
   *
   * @throws ServiceError `jwt_error` when it is garbage, of another issuer, expired or not yet valid, or was issued
   *   before the records were restored; `unexpected_challenge_type`.
   */
  read(token: string, type: ChallengeType): Promise<OpenedChallenge>;

  /**
   * Opens a token that was issued in a known context.
   *
   * @throws ServiceError as {@link read}; `invalid_challenge_context` when issued for anything else than `context`.
   */
  open(token: string, type: ChallengeType, context: ChallengeContext): Promise<OpenedChallenge>;
}

/** How long a challenge is: as unpredictable as a key. */
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
      iat: Type.Optional(Type.Number()), // earlier versions did not say it
      exp: Type.Integer(),
    }),
  ),
);

const LIFETIME_S = 15 * 60;
/** A token may be opened just before it expires and consumed some time after: until then its use is remembered. */
const CONSUMED_MARGIN_MS = 10 * 60 * 1000;
/** Several processes hand out and open tokens, and their clocks differ a little. */
const CLOCK_SKEW_S = 5;

/**
 * @param keys the first encrypts, all decrypt: a new key goes to the end first, then to the front, then the old one out.
 * @param earliestMs tokens issued before this time are refused, whatever their key.
 */
export async function createChallengeTokens(
  keys: readonly ChallengeTokenKey[],
  clock: Clock,
  earliestMs: () => Promise<number> = async () => 0,
): Promise<ChallengeTokens> {
  const imported = new Map<string, CryptoKey>();
  for (const { kid, secret } of keys)
    imported.set(
      kid,
      await crypto.subtle.importKey("raw", new Uint8Array(secret), "AES-GCM", false, ["encrypt", "decrypt"]),
    );
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
        iat: nowMs / 1000, // a NumericDate may have a fraction (RFC 7519 §2)
        nbf: nowS - CLOCK_SKEW_S,
        exp: nowS + LIFETIME_S,
      };
      // EncryptJWT would make a deep copy of the claims first, which takes a fifth of the time.
      return new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: encryptionKid })
        .encrypt(encryptionKey);
    },

    read,

    async open(token, type, context) {
      const opened = await read(token, type);
      requireContext(opened.context, context);
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

    // Another version of the service may write other claims.
    if (!issuedPayload().Check(payload)) throw invalidToken("the claims are not of this version");
    const issuedAtMs = Math.round((payload.iat ?? payload.exp - LIFETIME_S) * 1000);
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
      nonce: challengeNonce(challenge, payload.exp),
      issuedAtMs,
      context: { operation, bindings },
    };
  }
}

function invalidToken(cause: unknown): ServiceError {
  return new ServiceError("jwt_error", "The challenge token is not valid or has expired", { cause });
}

/** The error of a challenge that was issued for anything else than it is used for. */
export function invalidContext(): ServiceError {
  return new ServiceError("invalid_challenge_context", "The challenge token was issued for something else");
}

function requireContext(
  issued: Required<ChallengeContext>,
  { operation, bindings = {} }: ChallengeContext,
): void {
  if (!isDeepStrictEqual(issued, { operation, bindings })) throw invalidContext();
}

/** The nonce of a challenge is its hash, whatever form its token has. */
function challengeNonce(challenge: Uint8Array, expiresAtS: number): Nonce {
  return {
    id: `challenge|${encodeBase64Url(sha256(challenge))}`,
    expiresAtMs: expiresAtS * 1000 + CONSUMED_MARGIN_MS,
  };
}
