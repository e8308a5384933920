/** The two proofs that add a main factor: one by a factor that is on the backup, then one by the new factor. */
import type { Proven } from "../backups/authorise.ts";
import type { MainFactor } from "../backups/model.ts";
import { untraceable } from "../backups/outcomes.ts";
import { ServiceError } from "../errors.ts";
import {
  type Agreement,
  agreedIn,
  isOneSession,
  requireAgreed,
  requireMayAdd,
  requirePair,
} from "../proofs/agreement.ts";
import { type Authorised, authorisedBy, authorisedIn, requireBinding } from "../proofs/binding.ts";
import type { OpenedChallenge } from "../proofs/challenge-tokens.ts";
import { verifyNewFactor } from "../proofs/new-factor.ts";
import { challengeInClientData } from "../proofs/passkey/client-data.ts";
import { parseAssertion } from "../proofs/passkey/webauthn-credential.ts";
import { challengeInActivity } from "../proofs/turnkey/activity.ts";
import { readTurnkeyStamp, verifyTurnkeyStamp } from "../proofs/turnkey/stamp.ts";
import { challengeTypeOf, type Proof } from "../proofs/verify.ts";
import type { AddFactorRequest } from "../protocol/add-factor.ts";
import type { Authorization, PasskeyAuthorization } from "../protocol/authorization.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { Services } from "../services.ts";
import { mainFactorKind, requireTurnkeyProviderId } from "./factor-kinds.ts";
import { provenPasskey, proveOpened } from "./prove.ts";

interface Existing {
  readonly by: Proven;
  readonly agreed: Agreement;
  readonly authorised: Authorised;
}

/**
 * Checks both proofs, and that the new factor is the one that the existing factor agreed to. A replayed proof of the
 * existing factor is reported before errors of the new one.
 *
 * @throws ServiceError `not_supported`; as `prove`; for a Turnkey stamp what {@link readTurnkeyStamp} and
 *   {@link verifyTurnkeyStamp} throw; what {@link requireAgreed}, {@link requirePair}, {@link verifyNewFactor},
 *   {@link requireBinding} and {@link requireTurnkeyProviderId} throw.
 */
export async function proveAddition(
  services: Services,
  request: AddFactorRequest,
): Promise<{ readonly by: Proven; readonly added: Proof<MainFactor["kind"]> }> {
  const { backups, challengeTokens, config } = services;
  const { existingFactorAuthorization: existing, newFactorAuthorization: authorization } = request;
  requireMayAdd(existing.kind, config.addFactor);
  const { by, agreed, authorised } = await backups.reportingReplays([], () =>
    proveExisting(services, request),
  );
  const added = await backups.reportingReplays(by.nonces, async () => {
    requireAgreed(authorization, agreed);
    const type = challengeTypeOf(authorization.kind);
    const opened = await challengeTokens.read(request.newFactorChallengeToken, type);
    requirePair(opened, agreed);
    const { kind, nonces } = await verifyNewFactor(services, authorization, opened);
    requireBinding(authorised, request, config.addFactor);
    const providerId = requireTurnkeyProviderId(authorization, request.turnkeyProviderId);
    return {
      kind: mainFactorKind(kind, providerId),
      nonces: isOneSession(existing, authorization) ? without(nonces, by.nonces) : nonces,
    };
  });
  return { by, added };
}

async function proveExisting(services: Services, request: AddFactorRequest): Promise<Existing> {
  const { existingFactorAuthorization: authorization, existingFactorChallengeToken: token } = request;
  const activity = request.existingFactorTurnkeyActivity;
  if (authorization.kind !== "PASSKEY") {
    const opened = await services.challengeTokens.read(token, "keypair");
    const agreed = agreedIn(opened, authorization.kind);
    const authorised = authorisedBy(authorization, opened.challenge, request);
    return { by: await proveMessage(services, authorization, opened, authorised), agreed, authorised };
  }
  const opened = activity == null ? await openForAssertion(services, token) : null;
  if (opened === null) return proveByStamp(services, authorization, activity, token);
  const agreed = agreedIn(opened, "PASSKEY_ASSERTION");
  const { clientDataJson } = parseAssertion(authorization.credential);
  const authorised = authorisedIn(challengeInClientData(clientDataJson), opened.challenge);
  return { by: await proveMessage(services, authorization, opened, authorised), agreed, authorised };
}

function proveMessage(
  services: Services,
  authorization: Authorization,
  opened: OpenedChallenge,
  { message }: Authorised,
): Promise<Proven> {
  return proveOpened(services, "MAIN", authorization, { ...opened, challenge: message });
}

/** Opens a token that was issued to be solved without Turnkey; `null` where the missing activity is the error to report. */
async function openForAssertion(
  { challengeTokens }: Services,
  token: string,
): Promise<OpenedChallenge | null> {
  try {
    const opened = await challengeTokens.read(token, "passkey");
    return opened.context.bindings.existing === "PASSKEY_ASSERTION" ? opened : null;
  } catch (error) {
    if (error instanceof ServiceError && error.code !== "service_unavailable") return null;
    throw error;
  }
}

async function proveByStamp(
  { challengeTokens, backups, config, clock }: Services,
  { credential: response }: PasskeyAuthorization,
  activity: string | null | undefined,
  token: string,
): Promise<Existing> {
  const stamp = readTurnkeyStamp(response, activity);
  const opened = await challengeTokens.read(token, "passkey");
  const { nonce } = opened;
  const authorised = authorisedIn(challengeInActivity(stamp.activity), opened.challenge);
  const found = await backups.findPasskey(stamp.assertion.credentialId, [nonce]).catch((error: unknown) => {
    const isUnlisted = error instanceof ServiceError && error.code === "unauthorized_factor";
    throw isUnlisted ? untraceable() : error;
  });
  const { credential, turnkeyAccountId } = found;
  const expected = { challenge: authorised.message, nonce, credential, turnkeyAccountId };
  const shown = verifyTurnkeyStamp(stamp, expected, config.webauthn, clock);
  return { by: provenPasskey(found, opened, shown), agreed: agreedIn(opened, "PASSKEY"), authorised };
}

function without(nonces: readonly Nonce[], others: readonly Nonce[]): readonly Nonce[] {
  return nonces.filter(({ id }) => others.every((other) => other.id !== id));
}
