/**
 * Adding a main factor: an existing one and the new one each solve a challenge. The token of the existing factor
 * commits to the new factor, and the two tokens carry the same pair id, so neither half can be swapped for another's.
 */

import type { WebAuthnConfig } from "../config/webauthn.ts";
import { encodeBase64, encodeBase64Url, encodeHex, sha256 } from "../crypto/encoding.ts";
import { ServiceError } from "../errors.ts";
import type {
  AddFactorChallengeResponse,
  AddFactorRequest,
  ExistingFactorKind,
  NewFactor,
} from "../protocol/add-factor.ts";
import type { Authorization, PasskeyAuthorization } from "../protocol/authorization.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { factorKeys } from "../storage/contract.ts";
import {
  type Authenticator,
  type FindPasskey,
  type Proof,
  type Registration,
  verifyReportingReplay,
} from "./authenticator.ts";
import {
  CHALLENGE_BYTES,
  type ChallengeTokens,
  type ChallengeType,
  invalidContext,
  type SolvableChallenge,
} from "./challenge-tokens.ts";
import { creationOptions, requestOptions } from "./passkey/webauthn-options.ts";
import { readTurnkeyStamp, verifyTurnkeyStamp } from "./turnkey/stamp.ts";

/** The two halves of adding a main factor: handing out the challenges, and checking the proofs. */
export interface FactorAddition<Entry> {
  /** @throws ServiceError `webauthn_error` when the new passkey is to have an empty name. */
  challenge(newFactor: NewFactor, existing: ExistingFactorKind): Promise<AddFactorChallengeResponse>;

  /**
   * Checks the proof of the existing factor.
   *
   * @throws ServiceError what {@link Authenticator.authenticate} throws; for a Turnkey stamp what
   *   `readTurnkeyStamp` and `verifyTurnkeyStamp` throw; `invalid_challenge_context`.
   */
  proveExisting(request: AddFactorRequest): Promise<ProvenExisting<Entry>>;

  /**
   * Checks the proof of the new factor, and that it is the one the existing factor agreed to.
   *
   * @throws ServiceError `invalid_new_factor_type`; `invalid_new_factor_authorization_type`; `oidc_token_mismatch`;
   *   `invalid_challenge_context`; what {@link Authenticator.register} throws.
   */
  proveNew(request: AddFactorRequest, existing: ProvenExisting<Entry>): Promise<Registration>;
}

export interface ProvenExisting<Entry> {
  readonly proof: Proof<Entry>;
  readonly agreed: Agreement;
}

/** What the existing factor's token says of the new factor. */
interface Agreement {
  readonly pair: string;
  readonly kind: Authorization["kind"];
  /** Of the id_token or the public key; of a passkey only the ceremony is known, and `pair` names that. */
  readonly hash: string;
}

export interface FactorAdditionOptions<Entry> {
  readonly challengeTokens: ChallengeTokens;
  readonly authenticator: Authenticator<Entry>;
  readonly findPasskey: FindPasskey<Entry>;
  readonly webauthn: WebAuthnConfig;
  readonly clock: Clock;
  readonly random: Random;
}

const PAIR_BYTES = 16;

export function createFactorAddition<Entry>(options: FactorAdditionOptions<Entry>): FactorAddition<Entry> {
  const { challengeTokens, authenticator, findPasskey, webauthn, clock, random } = options;

  return {
    async challenge(newFactor, existing) {
      const pair = encodeBase64Url(random.bytes(PAIR_BYTES));
      const { kind, hash } = agreementOf(newFactor);
      const asked = existing === "PASSKEY_ASSERTION" ? requestOptions(webauthn, random) : plainChallenge();
      const offered =
        newFactor.kind === "PASSKEY_REGISTRATION" ? newPasskeyOptions(newFactor) : plainChallenge();
      const [existingFactorToken, newFactorToken] = await Promise.all([
        challengeTokens.issue(typeOf(existing), asked.challenge, {
          operation: "add-factor",
          bindings: { existing, pair, kind, hash },
        }),
        challengeTokens.issue(typeOf(kind), offered.challenge, {
          operation: "add-factor-new",
          bindings: { pair },
        }),
      ]);
      return {
        existingFactorChallenge: asked.options,
        existingFactorToken,
        newFactorChallenge: offered.options,
        newFactorToken,
      };
    },

    async proveExisting(request) {
      const { existingFactorAuthorization: authorization, existingFactorChallengeToken: token } = request;
      if (authorization.kind === "PASSKEY" && !(await isOrdinaryAssertion(request)))
        return proveByStamp(request, authorization);
      const { context } = await challengeTokens.read(token, typeOf(authorization.kind));
      const agreed = agreedIn(
        context,
        authorization.kind === "PASSKEY" ? "PASSKEY_ASSERTION" : authorization.kind,
      );
      return { proof: await authenticator.authenticate("MAIN", authorization, token, context), agreed };
    },

    async proveNew({ newFactorAuthorization, newFactorChallengeToken }, { agreed }) {
      requireAgreed(newFactorAuthorization, agreed);
      return authenticator.register("MAIN", newFactorAuthorization, newFactorChallengeToken, {
        operation: "add-factor-new",
        bindings: { pair: agreed.pair },
      });
    },
  };

  function plainChallenge() {
    const challenge = random.bytes(CHALLENGE_BYTES);
    return { challenge, options: encodeBase64(challenge) };
  }

  /** A passkey added to a backup recovers it on other devices, so it is discoverable whatever the platform. */
  function newPasskeyOptions({ name, displayName }: Extract<NewFactor, { kind: "PASSKEY_REGISTRATION" }>) {
    return creationOptions(webauthn, random, {
      platform: "ANDROID",
      name: name ?? webauthn.rpName,
      displayName: displayName ?? name ?? webauthn.rpName,
    });
  }

  /** Whether a passkey proves itself without Turnkey: there is no activity, and the token was issued for that. */
  async function isOrdinaryAssertion(request: AddFactorRequest): Promise<boolean> {
    if (request.existingFactorTurnkeyActivity != null) return false;
    try {
      const { context } = await challengeTokens.read(request.existingFactorChallengeToken, "passkey");
      return context.bindings.existing === "PASSKEY_ASSERTION";
    } catch (error) {
      if (error instanceof ServiceError) return false; // the missing activity is the error to report
      throw error;
    }
  }

  async function proveByStamp(
    { existingFactorTurnkeyActivity, existingFactorChallengeToken }: AddFactorRequest,
    { credential }: PasskeyAuthorization,
  ): Promise<ProvenExisting<Entry>> {
    const stamp = readTurnkeyStamp(credential, existingFactorTurnkeyActivity ?? null);
    const { challenge, oneTime, issuedAtMs, context } = await challengeTokens.read(
      existingFactorChallengeToken,
      "passkey",
    );
    const factor = { scope: "MAIN", key: factorKeys.passkey(stamp.assertion.credentialId) } as const;
    const find = () => findPasskey(factor, [oneTime]);
    const found = await find().catch((error: unknown) => {
      if (error instanceof ServiceError && error.code === "unauthorized_factor")
        throw new ServiceError("backup_untraceable", "The factor leads to no backup");
      throw error;
    });
    const shown = await verifyReportingReplay(found, find, () =>
      verifyTurnkeyStamp(stamp, { ...found, challenge }, webauthn, clock),
    );
    const agreed = agreedIn(context, "PASSKEY");
    const passkey = { entry: found.entry, shown };
    return { proof: { factor, oneTime: [oneTime], challengedAtMs: issuedAtMs, passkey }, agreed };
  }
}

/** Passkeys solve a WebAuthn challenge, also inside a Turnkey activity; everything else signs with a keypair. */
function typeOf(kind: ExistingFactorKind): ChallengeType {
  return kind === "PASSKEY" || kind === "PASSKEY_ASSERTION" ? "passkey" : "keypair";
}

function agreementOf(newFactor: NewFactor): Omit<Agreement, "pair"> {
  switch (newFactor.kind) {
    case "OIDC_ACCOUNT":
      return { kind: "OIDC_ACCOUNT", hash: hashOf(newFactor.oidcToken) };
    case "EC_KEYPAIR":
      return { kind: "EC_KEYPAIR", hash: hashOf(newFactor.publicKey) };
    case "PASSKEY_REGISTRATION":
      return { kind: "PASSKEY", hash: "" };
  }
}

function agreedIn(
  { operation, bindings }: SolvableChallenge["context"],
  existing: ExistingFactorKind,
): Agreement {
  const { pair, kind, hash } = bindings;
  if (operation !== "add-factor" || bindings.existing !== existing) throw invalidContext();
  if (pair === undefined || hash === undefined || !isKind(kind)) throw invalidContext();
  return { pair, kind, hash };
}

function isKind(kind: string | undefined): kind is Authorization["kind"] {
  return kind === "PASSKEY" || kind === "OIDC_ACCOUNT" || kind === "EC_KEYPAIR";
}

function requireAgreed(authorization: Authorization, agreed: Agreement): void {
  if (authorization.kind !== agreed.kind)
    throw new ServiceError(
      authorization.kind === "OIDC_ACCOUNT"
        ? "invalid_new_factor_type"
        : "invalid_new_factor_authorization_type",
      "The new factor is of another kind than the existing factor agreed to",
    );
  if (authorization.kind === "OIDC_ACCOUNT" && hashOf(authorization.oidcToken.token) !== agreed.hash)
    throw new ServiceError(
      "oidc_token_mismatch",
      "The id_token is not the one the existing factor agreed to",
    );
  if (authorization.kind === "EC_KEYPAIR" && hashOf(authorization.publicKey) !== agreed.hash)
    throw invalidContext();
}

function hashOf(text: string): string {
  return encodeHex(sha256(text));
}
