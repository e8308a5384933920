/** The proof of a factor that is to be put on a backup, and what the backup keeps of it. */
import { ServiceError } from "../errors.ts";
import type { Authorization, OidcProvider } from "../protocol/authorization.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { OpenedChallenge } from "./challenge-tokens.ts";
import { maskedEmail } from "./identity/masked-email.ts";
import type { OidcVerifier, VerifiedIdToken } from "./identity/oidc.ts";
import type { PasskeyVerifier } from "./passkey/passkey.ts";
import type { StoredCredential } from "./passkey/stored-credential.ts";
import { PossibleReplay } from "./possible-replay.ts";
import { verifyAccount, verifyKeypair } from "./verify.ts";

export interface NewKeypair {
  readonly kind: "EC_KEYPAIR";
  readonly publicKey: string;
}

export type NewFactorKind =
  | NewKeypair
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

/** What is kept of a new factor, and the nonces that its proof consumes. They are not consumed yet. */
export interface NewFactorProof<Kind = NewFactorKind> {
  readonly kind: Kind;
  readonly nonces: readonly Nonce[];
}

/**
 * Checks the proof of a new main factor.
 *
 * @throws ServiceError the code of the failed cryptographic check; `missing_email` for an account without one, as
 *   `PossibleReplay` of the id_token.
 */
export async function verifyNewFactor(
  { idTokens, passkeys }: { readonly idTokens: OidcVerifier; readonly passkeys: PasskeyVerifier },
  authorization: Authorization,
  opened: OpenedChallenge,
): Promise<NewFactorProof> {
  switch (authorization.kind) {
    case "EC_KEYPAIR":
      return verifyKeypair(authorization, opened);
    case "OIDC_ACCOUNT": {
      const idToken = await verifyAccount(idTokens, authorization, opened);
      const kind = { kind: "OIDC_ACCOUNT", account: accountOf(idToken) } as const;
      return { kind, nonces: [opened.nonce, idToken.nonce] };
    }
    case "PASSKEY": {
      const { credential, label } = authorization;
      const verified = passkeys.verifyRegistration(credential, opened.challenge);
      return { kind: { kind: "PASSKEY", label: label ?? "", ...verified }, nonces: [opened.nonce] };
    }
  }
}

/** @throws ServiceError `invalid_sync_factor_type`. */
export function requireKeypair(authorization: Authorization) {
  if (authorization.kind !== "EC_KEYPAIR")
    throw new ServiceError("invalid_sync_factor_type", "A sync factor must be a keypair");
  return authorization;
}

function accountOf({ provider, issuer, sub, email, nonce }: VerifiedIdToken) {
  if (email === null) throw new PossibleReplay("missing_email", "The id_token has no email claim", [nonce]);
  return { kind: provider, issuer, sub, maskedEmail: maskedEmail(email) };
}
