import type { EcKeypair, MainFactor } from "../backups/model.ts";
import { ServiceError } from "../errors.ts";
import type { Registration } from "../proofs/authenticator.ts";
import type { Authorization } from "../protocol/authorization.ts";

/**
 * The Turnkey provider id that goes with a Google or Apple account; `null` for other factors.
 *
 * @throws ServiceError `missing_turnkey_provider_id`.
 */
export function requireTurnkeyProviderId(
  { kind }: Authorization,
  turnkeyProviderId: string | null | undefined,
): string | null {
  if (kind !== "OIDC_ACCOUNT") return null;
  if (turnkeyProviderId == null)
    throw new ServiceError(
      "missing_turnkey_provider_id",
      "An account as main factor needs turnkeyProviderId",
    );
  return turnkeyProviderId;
}

/** What a backup keeps of a new main factor. */
export function mainFactorKind(
  kind: Registration["kind"],
  turnkeyProviderId: string | null,
): MainFactor["kind"] {
  return kind.kind === "OIDC_ACCOUNT" ? { ...kind, turnkeyProviderId: turnkeyProviderId ?? "" } : kind;
}

/** What a backup keeps of a new sync factor. */
export function keypairKind(kind: Registration["kind"]): EcKeypair {
  if (kind.kind !== "EC_KEYPAIR")
    throw new ServiceError("invalid_sync_factor_type", "A sync factor must be a keypair");
  return kind;
}
