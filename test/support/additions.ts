/** Additions of a main factor to the backup of another. */
import { expect } from "bun:test";
import type { Driver } from "../drivers.ts";
import type { ApiClient, RequestBody } from "./api-client.ts";
import {
  type AuthorizationBody,
  type Ceremony,
  type EncryptionKeyBody,
  type FactorUser,
  factorService,
  type MainFactor,
  newAccount,
  newKeypair,
  newPasskey,
  passkeyOf,
  recoveredBy,
  TURNKEY,
  TURNKEY_PROVIDER_ID,
  textOf,
} from "./factors.ts";
import type { TestService } from "./service.ts";
import type { Tweaks } from "./software-authenticator.ts";
import { indexedAs } from "./stored.ts";
import { turnkeyActivity } from "./turnkey-activity.ts";

/** How an existing factor agrees to a new one. */
export const EXISTING_KINDS = ["PASSKEY", "PASSKEY_ASSERTION", "OIDC_ACCOUNT", "EC_KEYPAIR"] as const;
export type ExistingKind = (typeof EXISTING_KINDS)[number];

export interface Addition {
  readonly existing: MainFactor;
  readonly existingKind: ExistingKind;
  readonly added: MainFactor;
  /** The organisation that a Turnkey activity names. */
  readonly organizationId?: string;
  readonly nowMs: number;
  /** Instead of the factor's own registration. */
  readonly ceremony?: Ceremony;
}

/** The two challenges of an addition, and who has to solve them. */
export async function additionChallenge(client: ApiClient, addition: Addition) {
  const ceremony = addition.ceremony ?? addition.added.register();
  const body = { newFactor: ceremony.newFactor, existingFactorKind: addition.existingKind };
  return { ceremony, challenges: (await client.addFactorChallenge(body)).ok() };
}

export type Challenges = Awaited<ReturnType<typeof additionChallenge>>["challenges"];

/** The half of the existing factor. */
export function existingHalf(addition: Addition, challenges: Challenges) {
  const { existing, existingKind, organizationId = TURNKEY.turnkeyAccountId, nowMs } = addition;
  const { existingFactorChallenge: challenge, existingFactorToken } = challenges;
  if (existingKind !== "PASSKEY")
    return {
      existingFactorAuthorization: existing.prove(challenge),
      existingFactorChallengeToken: existingFactorToken,
    };
  const bytes = Buffer.from(textOf(challenge), "base64");
  const activity = turnkeyActivity({ challenge: bytes, organizationId, nowMs });
  return {
    existingFactorAuthorization: stamped(existing, activity),
    existingFactorTurnkeyActivity: activity,
    existingFactorChallengeToken: existingFactorToken,
  };
}

/** The authorization of a passkey that stamps an activity. */
export function stamped(factor: MainFactor, activity: string, tweaks: Tweaks = {}): AuthorizationBody {
  return { kind: "PASSKEY", credential: passkeyOf(factor).authenticator.stamp(activity, tweaks) };
}

/** The half of the new factor. */
export function newHalf({ added }: Addition, ceremony: Ceremony, challenges: Challenges) {
  return {
    newFactorAuthorization: ceremony.answer(challenges.newFactorChallenge),
    newFactorChallengeToken: challenges.newFactorToken,
    ...(added.kind === "OIDC_ACCOUNT" ? { turnkeyProviderId: TURNKEY_PROVIDER_ID } : {}),
  };
}

/** A request that adds a factor, valid in all. */
export async function additionRequest(client: ApiClient, addition: Addition) {
  const { ceremony, challenges } = await additionChallenge(client, addition);
  return { ...existingHalf(addition, challenges), ...newHalf(addition, ceremony, challenges) };
}

/** Adds a factor to the backup of another, whatever their kinds. */
export async function addFactor(
  { client, clock }: Pick<TestService, "client" | "clock">,
  existing: MainFactor,
  added: MainFactor,
  encryptedBackupKey: EncryptionKeyBody | null = null,
) {
  const { existingKind } = existing;
  const request = await additionRequest(client, { existing, existingKind, added, nowMs: clock.nowMs() });
  return (await client.addFactor({ ...request, encryptedBackupKey })).ok();
}

export const NEW_KINDS = ["PASSKEY", "OIDC_ACCOUNT", "EC_KEYPAIR"] as const;
export type NewKind = (typeof NEW_KINDS)[number];

/** A service for the tests of the caller, and the additions of factors to send to it. */
export function additionFixture(driver: Driver, env: Readonly<Record<string, string>> = {}) {
  const { service, issuer } = factorService(driver, { env: { MAX_MAIN_FACTORS: "3", ...env } });

  const factorOf = (kind: ExistingKind | NewKind, provider: "GOOGLE" | "APPLE" = "GOOGLE"): MainFactor => {
    if (kind === "OIDC_ACCOUNT") return newAccount(provider, issuer);
    return kind === "EC_KEYPAIR" ? newKeypair() : newPasskey();
  };
  const addition = (existing: MainFactor, added: MainFactor, existingKind?: ExistingKind): Addition => ({
    existing,
    added,
    existingKind: existingKind ?? existing.existingKind,
    nowMs: service().clock.nowMs(),
  });
  const send = async (given: Addition, more: RequestBody = {}) => {
    const { client } = service();
    return client.addFactor({ ...(await additionRequest(client, given)), ...more });
  };
  /** Who is on the backup and in the index did not change. */
  const expectNothingAdded = async (user: FactorUser, added: MainFactor) => {
    const { factors, keys } = (await recoveredBy(service().client, user.main)).metadata;
    expect([factors.length, keys.length]).toEqual([1, 1]);
    expect(await indexedAs(service().services, added.ref)).toBeNull();
  };
  return { service, issuer, factorOf, addition, send, expectNothingAdded };
}
