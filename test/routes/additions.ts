/** What the tests of add-factor share. */

import { expect } from "bun:test";
import type { Driver } from "../drivers.ts";
import type { RequestBody } from "../support/api-client.ts";
import {
  type Addition,
  additionRequest,
  type ExistingKind,
  existingKindOf,
  type FactorUser,
  factorService,
  type MainFactor,
  newAccount,
  newKeypair,
  newPasskey,
  recoveredBy,
} from "../support/factors.ts";
import { indexedAs } from "../support/stored.ts";

export const NEW_KINDS = ["PASSKEY", "OIDC_ACCOUNT", "EC_KEYPAIR"] as const;
export type NewKind = (typeof NEW_KINDS)[number];

/** A service for the tests of the caller, and the additions of factors to send to it. */
export function additionFixture(driver: Driver) {
  const { service, issuer } = factorService(driver, { env: { MAX_MAIN_FACTORS: "3" } });

  const factorOf = (kind: ExistingKind | NewKind, provider: "GOOGLE" | "APPLE" = "GOOGLE"): MainFactor => {
    if (kind === "OIDC_ACCOUNT") return newAccount(provider, issuer);
    return kind === "EC_KEYPAIR" ? newKeypair() : newPasskey();
  };
  const addition = (existing: MainFactor, added: MainFactor, existingKind?: ExistingKind): Addition => ({
    existing,
    added,
    existingKind: existingKind ?? existingKindOf(existing),
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
