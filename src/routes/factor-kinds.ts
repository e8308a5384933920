import type { MainFactor } from "../backups/model.ts";
import { ServiceError } from "../errors.ts";
import type { NewFactorKind } from "../proofs/new-factor.ts";
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
export function mainFactorKind(kind: NewFactorKind, turnkeyProviderId: string | null): MainFactor["kind"] {
  return kind.kind === "OIDC_ACCOUNT" ? { ...kind, turnkeyProviderId: turnkeyProviderId ?? "" } : kind;
}
