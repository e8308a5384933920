/** Who is asking, and did they sign this: the proof of a factor, whatever its kind. */
import { ServiceError } from "../errors.ts";
import type {
  Authorization,
  EcKeypairAuthorization,
  OidcAccountAuthorization,
  OidcProvider,
  PasskeyAuthorization,
} from "../protocol/authorization.ts";
import {
  type FactorRef,
  type FactorScope,
  factorKeys,
  type Nonce,
  type RecordStore,
} from "../storage/contract.ts";
import type { ChallengeContext, ChallengeTokens } from "./challenge-tokens.ts";
import { maskedEmail } from "./identity/masked-email.ts";
import type { OidcVerifier, VerifiedIdToken } from "./identity/oidc.ts";
import { verifyKeypairSignature } from "./keypair.ts";
import type { PasskeyVerifier } from "./passkey/passkey.ts";
import { CounterRegression, type ShownCounter } from "./passkey/signature-counter.ts";
import type { StoredCredential } from "./passkey/stored-credential.ts";
import { parseAssertion } from "./passkey/webauthn-credential.ts";

/** A factor that has proven itself, and the one-time values that the proof used up. They are not spent yet. */
export interface Proof<Entry = unknown> {
  readonly factor: FactorRef;
  readonly oneTime: readonly Nonce[];
  /** When the challenge was issued: what its solver knew of the backup is at least that old. */
  readonly challengedAtMs: number;
  /** For a passkey: where its public key was found, and the signature counter to keep. */
  readonly passkey?: { readonly entry: Entry; readonly shown: ShownCounter };
}

/** A factor that has proven itself in order to be put on a backup, with what the backup keeps of it. */
export interface Registration extends Proof<never> {
  readonly kind:
    | { readonly kind: "EC_KEYPAIR"; readonly publicKey: string }
    | {
        readonly kind: "OIDC_ACCOUNT";
        readonly account: {
          readonly kind: OidcProvider;
          readonly issuer: string;
          readonly sub: string;
          readonly maskedEmail: string;
        };
      }
    | {
        readonly kind: "PASSKEY";
        readonly credentialId: string;
        readonly registration: unknown;
        readonly label: string;
        readonly credential: StoredCredential;
      };
}

/**
 * Finds a passkey that is on a backup. `Entry` is for the operation that acts on the proof.
 *
 * @throws ServiceError `already_used` when the challenge was spent and there is no passkey to check it with;
 *   `backup_untraceable`; `backup_missing`; `unauthorized_factor`.
 */
export type FindPasskey<Entry> = (
  factor: FactorRef,
  oneTime: readonly Nonce[],
) => Promise<FoundPasskey<Entry>>;

export interface FoundPasskey<Entry> {
  readonly credential: StoredCredential;
  /** The Turnkey organisation of the backup, if it has a TURNKEY key. */
  readonly turnkeyAccountId: string | null;
  /** Whether the challenge was used before. */
  readonly spent: boolean;
  readonly entry: Entry;
}

/** Checks proofs of every kind of factor. It changes nothing: the operation spends what a proof uses up. */
export interface Authenticator<Entry> {
  /**
   * Checks the proof of a factor that should be on a backup already. Only the proof: whether the factor is on one is
   * for the backup's metadata to say.
   *
   * @throws ServiceError `invalid_authorization_type` when a factor of this kind cannot act in this scope, what
   *   {@link ChallengeTokens.open} throws, or the code of the failed cryptographic check.
   */
  authenticate(
    scope: FactorScope,
    authorization: Authorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Proof<Entry>>;

  /**
   * Checks the proof of a factor that is to be put on a backup.
   *
   * @throws ServiceError as {@link authenticate}, but `invalid_sync_factor_type` for the kind; `missing_email` for an
   *   account without one.
   */
  register(
    scope: FactorScope,
    authorization: Authorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Registration>;
}

export interface AuthenticatorOptions<Entry> {
  readonly challengeTokens: ChallengeTokens;
  readonly passkeys: PasskeyVerifier;
  readonly oidc: OidcVerifier;
  readonly records: Pick<RecordStore, "isConsumed">;
  readonly findPasskey: FindPasskey<Entry>;
}

/** @param options where challenges are opened, ceremonies and id_tokens verified, and passkeys looked up. */
export function createAuthenticator<Entry>(options: AuthenticatorOptions<Entry>): Authenticator<Entry> {
  const { challengeTokens, passkeys, oidc, records, findPasskey } = options;

  return {
    async authenticate(scope, authorization, challengeToken, context) {
      if (scope === "SYNC" && authorization.kind !== "EC_KEYPAIR")
        throw new ServiceError("invalid_authorization_type", "Only a keypair sync factor may do this");
      switch (authorization.kind) {
        case "EC_KEYPAIR":
          return proveKeypair(scope, authorization, challengeToken, context);
        case "OIDC_ACCOUNT":
          return (await proveAccount(authorization, challengeToken, context)).proof;
        case "PASSKEY":
          return assertPasskey(authorization, challengeToken, context);
      }
    },

    async register(scope, authorization, challengeToken, context) {
      if (scope === "SYNC" && authorization.kind !== "EC_KEYPAIR")
        throw new ServiceError("invalid_sync_factor_type", "A sync factor must be a keypair");
      switch (authorization.kind) {
        case "EC_KEYPAIR": {
          const proof = await proveKeypair(scope, authorization, challengeToken, context);
          return { ...proof, kind: { kind: "EC_KEYPAIR", publicKey: authorization.publicKey } };
        }
        case "OIDC_ACCOUNT": {
          const { proof, idToken } = await proveAccount(authorization, challengeToken, context);
          if (idToken.email === null) await requireUnused(idToken);
          return { ...proof, kind: { kind: "OIDC_ACCOUNT", account: accountOf(idToken) } };
        }
        case "PASSKEY":
          return registerPasskey(authorization, challengeToken, context);
      }
    },
  };

  async function proveKeypair(
    scope: FactorScope,
    { publicKey, signature }: Pick<EcKeypairAuthorization, "publicKey" | "signature">,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Proof<never>> {
    const { challenge, oneTime, issuedAtMs } = await challengeTokens.open(challengeToken, "keypair", context);
    verifyKeypairSignature(publicKey, signature, challenge);
    const factor = { scope, key: factorKeys.ecKeypair(publicKey) };
    return { factor, oneTime: [oneTime], challengedAtMs: issuedAtMs };
  }

  async function proveAccount(
    { oidcToken, publicKey, signature }: OidcAccountAuthorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<{ readonly proof: Proof<never>; readonly idToken: VerifiedIdToken }> {
    const { challenge, oneTime, issuedAtMs } = await challengeTokens.open(challengeToken, "keypair", context);
    const idToken = await oidc.verify(oidcToken, publicKey);
    try {
      verifyKeypairSignature(publicKey, signature, challenge);
    } catch (error) {
      await requireUnused(idToken);
      throw error;
    }
    const key = factorKeys.oidcAccount(idToken.issuer, idToken.sub);
    const factor = { scope: "MAIN", key } as const;
    return { proof: { factor, oneTime: [oneTime, idToken.nonce], challengedAtMs: issuedAtMs }, idToken };
  }

  /**
   * Reports a replayed id_token before any other error. Looked up only on failure; a success learns it from the commit.
   */
  async function requireUnused({ nonce }: VerifiedIdToken): Promise<void> {
    if (await records.isConsumed([nonce]))
      throw new ServiceError("already_used", "The id_token was used before");
  }

  async function assertPasskey(
    { credential }: PasskeyAuthorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Proof<Entry>> {
    const { challenge, oneTime, issuedAtMs } = await challengeTokens.open(challengeToken, "passkey", context);
    const assertion = parseAssertion(credential);
    const factor = { scope: "MAIN", key: factorKeys.passkey(assertion.credentialId) } as const;
    const find = () => findPasskey(factor, [oneTime]);
    const found = await find();
    const shown = await verifyReportingReplay(found, find, () =>
      passkeys.verifyAssertion(assertion, challenge, found.credential),
    );
    const passkey = { entry: found.entry, shown };
    return { factor, oneTime: [oneTime], challengedAtMs: issuedAtMs, passkey };
  }

  async function registerPasskey(
    { credential, label }: PasskeyAuthorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Registration> {
    const { challenge, oneTime, issuedAtMs } = await challengeTokens.open(challengeToken, "passkey", context);
    const verified = await passkeys.verifyRegistration(credential, challenge);
    return {
      factor: { scope: "MAIN", key: factorKeys.passkey(verified.credentialId) },
      oneTime: [oneTime],
      challengedAtMs: issuedAtMs,
      kind: { kind: "PASSKEY", label: label ?? "", ...verified },
    };
  }
}

/**
 * Checks the signature of a passkey that was found. A replay of a genuine one is reported as such: its counter, which
 * did not grow, would otherwise be taken for that of a copied authenticator.
 *
 * @param findAgain reads again whether the challenge was used: the counter may be that of the first use.
 * @throws ServiceError `already_used`, or what `verify` throws.
 */
export async function verifyReportingReplay<T>(
  { spent }: Pick<FoundPasskey<unknown>, "spent">,
  findAgain: () => Promise<Pick<FoundPasskey<unknown>, "spent">>,
  verify: () => T | Promise<T>,
): Promise<T> {
  const replayed = () => new ServiceError("already_used", "The challenge was used before");
  try {
    const verified = await verify();
    if (spent) throw replayed();
    return verified;
  } catch (error) {
    if (!(error instanceof CounterRegression)) throw error;
    throw spent || (await findAgain()).spent ? replayed() : error;
  }
}

function accountOf({ provider, issuer, sub, email }: VerifiedIdToken) {
  if (email === null) throw new ServiceError("missing_email", "The id_token has no email claim");
  return { kind: provider, issuer, sub, maskedEmail: maskedEmail(email) };
}
