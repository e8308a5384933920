/** The proof of a factor to add to a backup, and what the backup keeps of it. */
import type { Authorization, OidcProvider } from "../protocol/authorization.ts";
import type { OpenedChallenge } from "./challenge-tokens.ts";
import { maskedEmail } from "./identity/masked-email.ts";
import type { OidcVerifier, VerifiedIdToken } from "./identity/oidc.ts";
import type { PasskeyVerifier, VerifiedRegistration } from "./passkey/passkey.ts";
import { PossibleReplay } from "./possible-replay.ts";
import { type Proof, verifyAccount, verifyKeypair } from "./verify.ts";

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
  | ({ readonly kind: "PASSKEY"; readonly label: string } & VerifiedRegistration);

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
): Promise<Proof<NewFactorKind>> {
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

function accountOf({ provider, issuer, sub, email, nonce }: VerifiedIdToken) {
  if (email === null) throw new PossibleReplay("missing_email", "The id_token has no email claim", [nonce]);
  return { kind: provider, issuer, sub, maskedEmail: maskedEmail(email) };
}
