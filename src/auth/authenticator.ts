import { ServiceError } from "../errors.ts";
import { type FactorRef, type FactorScope, factorKeys, type OneTimeValue } from "../storage/contract.ts";
import type { ChallengeContext, ChallengeTokens } from "./challenge-tokens.ts";
import { verifyKeypairSignature } from "./keypair.ts";

/** How a request says who is asking. */
export type Authorization =
  | { readonly kind: "PASSKEY"; readonly credential: unknown; readonly label?: string | null }
  | {
      readonly kind: "OIDC_ACCOUNT";
      readonly oidcToken:
        | { readonly kind: "GOOGLE"; readonly token: string }
        | { readonly kind: "APPLE"; readonly token: string; readonly aud?: string | null };
      readonly publicKey: string;
      readonly signature: string;
    }
  | { readonly kind: "EC_KEYPAIR"; readonly publicKey: string; readonly signature: string };

/** A factor that has proven itself, and the one-time values that the proof used up. They are not spent yet. */
export interface Proof {
  readonly factor: FactorRef;
  readonly oneTime: readonly OneTimeValue[];
}

/** A factor that has proven itself in order to be put on a backup, with what the backup keeps of it. */
export interface Registration extends Proof {
  readonly kind: { readonly kind: "EC_KEYPAIR"; readonly publicKey: string };
}

export interface Authenticator {
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
  ): Promise<Proof>;

  /**
   * Checks the proof of a factor that is to be put on a backup.
   *
   * @throws ServiceError as {@link authenticate}, but `invalid_sync_factor_type` for the kind.
   */
  register(
    scope: FactorScope,
    authorization: Authorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Registration>;
}

export function createAuthenticator(challengeTokens: ChallengeTokens): Authenticator {
  async function prove(
    scope: FactorScope,
    authorization: Authorization,
    challengeToken: string,
    context: ChallengeContext,
  ): Promise<Registration> {
    if (authorization.kind !== "EC_KEYPAIR")
      throw new ServiceError("not_supported", `Factors of kind ${authorization.kind} are not supported yet`);
    const { publicKey, signature } = authorization;
    const { challenge, oneTime } = await challengeTokens.open(challengeToken, "keypair", context);
    verifyKeypairSignature(publicKey, signature, challenge);
    return {
      factor: { scope, key: factorKeys.ecKeypair(publicKey) },
      oneTime: [oneTime],
      kind: { kind: "EC_KEYPAIR", publicKey },
    };
  }

  return {
    async authenticate(scope, authorization, challengeToken, context) {
      if (scope === "SYNC" && authorization.kind !== "EC_KEYPAIR")
        throw new ServiceError("invalid_authorization_type", "Only a keypair sync factor may do this");
      return prove(scope, authorization, challengeToken, context);
    },

    async register(scope, authorization, challengeToken, context) {
      if (scope === "SYNC" && authorization.kind !== "EC_KEYPAIR")
        throw new ServiceError("invalid_sync_factor_type", "A sync factor must be a keypair");
      return prove(scope, authorization, challengeToken, context);
    },
  };
}
