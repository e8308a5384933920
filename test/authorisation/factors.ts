/** The factors that try: the user's own, new ones, and those in the states that the conditions are about. */
import { expect } from "bun:test";
import type { Scope } from "../../src/protocol/factor.ts";
import { createAccountKeypair } from "../support/account-keypair.ts";
import { addFactor } from "../support/additions.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import {
  created,
  type FactorUser,
  type MainFactor,
  newAccount,
  newKeypair,
  newPasskey,
  recoveredBy,
  removeFactor,
} from "../support/factors.ts";
import type { OidcIssuer } from "../support/oidc-issuer.ts";
import type { TestService } from "../support/service.ts";
import { addIndexRow, loseRecord, storedRecord } from "../support/stored.ts";
import { replacedContent, solved } from "../support/users.ts";
import type { Condition, FactorName, OperationRow } from "./table.ts";

/** One factor in one operation: a user with a backup, and the factor that tries. */
export interface Attempt {
  readonly service: TestService;
  readonly issuer: OidcIssuer;
  readonly row: OperationRow;
  readonly name: FactorName;
  readonly user: FactorUser;
  readonly factor: MainFactor;
  /** What challenges may be bound to: the ids of the user's sync factor, of a version of the backup, and of the backup. */
  readonly ids: Readonly<Record<"factorId" | "versionId" | "backupId", string>>;
}

export async function newAttempt(
  service: TestService,
  issuer: OidcIssuer,
  row: OperationRow,
  name: FactorName,
): Promise<Attempt> {
  const { client } = service;
  const registers = row.theirs === null;
  const isKeypair = name === "KEYPAIR" || name === "OTHER_KEYPAIR";
  const main = registers || isKeypair ? newKeypair() : newFactor(name, row, issuer);
  const { user, versionId } = await replacedContent(client, await created(client, main));
  const [sync] = (await recoveredBy(client, user.main)).metadata.syncFactors;
  const ids = { factorId: sync?.id ?? "", versionId, backupId: user.account.backupAccountId };
  if (row.isOfDeleted) (await client.deleteBackup(await solved(client, "delete-backup", user.sync))).ok();
  const factor = registers ? await factorToRegister(service, row, name, issuer) : ownFactor(row, name, user);
  return { service, issuer, row, name, user, factor, ids };
}

/** A factor that is nowhere yet. */
export function newFactor(name: FactorName, { scope }: OperationRow, issuer: OidcIssuer): MainFactor {
  if (name === "GOOGLE" || name === "APPLE") return newAccount(name, issuer);
  if (name === "PASSKEY" || name === "PASSKEY_BY_STAMP") return newPasskey();
  return newKeypair(createFactorKeypair(), scope);
}

/** That a keypair is a factor in the other scope, elsewhere, does not keep it from being registered. */
async function factorToRegister(
  { client }: TestService,
  row: OperationRow,
  name: FactorName,
  issuer: OidcIssuer,
) {
  return name === "OTHER_KEYPAIR"
    ? keypairElsewhere(client, otherScope(row.scope))
    : newFactor(name, row, issuer);
}

function ownFactor({ scope }: OperationRow, name: FactorName, { main, sync }: FactorUser): MainFactor {
  const isSyncFactor =
    (name === "KEYPAIR" && scope === "SYNC") || (name === "OTHER_KEYPAIR" && scope === "MAIN");
  return isSyncFactor ? newKeypair(sync, scope) : main;
}

/** A keypair that is a factor of another user, in this scope. */
async function keypairElsewhere(client: TestService["client"], scope: Scope): Promise<MainFactor> {
  const { main, sync } = await created(client, newKeypair());
  return scope === "MAIN" ? main : newKeypair(sync);
}

function otherScope(scope: Scope): Scope {
  return scope === "MAIN" ? "SYNC" : "MAIN";
}

/** The factor in the state that the condition is about. */
export async function factorIn(condition: Condition, attempt: Attempt): Promise<MainFactor> {
  const { service, issuer, row, name, user, factor } = attempt;
  const { client, services } = service;
  const other = newFactor(name, row, issuer);
  const index = { scope: row.scope, key: other.ref.key };
  switch (condition) {
    case "on no backup":
      return other;
    case "on another backup": {
      if (other.kind !== "EC_KEYPAIR") return (await created(client, other)).main;
      const isOutOfScope = name === "OTHER_KEYPAIR" && row.theirs !== null;
      return keypairElsewhere(client, isOutOfScope ? otherScope(row.scope) : row.scope);
    }
    case "revoked":
      await revoke(service, other, row.scope);
      return other;
    case "indexed but not listed":
      await addIndexRow(services, user.account.backupAccountId, index);
      return other;
    case "its backup is missing": {
      const { blob, metadata } = await storedRecord(services, user.account.backupAccountId);
      const { backupAccountId: backupId } = createAccountKeypair();
      const creation = {
        backupId,
        expect: "absent",
        next: { blob, metadata, versions: [] },
        claim: [index],
      } as const;
      expect(await services.records.commit(creation)).toBe("committed");
      await loseRecord(services, backupId);
      return other;
    }
    default:
      return factor;
  }
}

/** Puts a factor on a backup and takes it off again. */
async function revoke(service: TestService, factor: MainFactor, scope: Scope): Promise<void> {
  const { client } = service;
  const owner = await created(client, newKeypair());
  if (scope === "MAIN" || factor.kind !== "EC_KEYPAIR") {
    const { factorId } = await addFactor(service, owner.main, factor);
    (await removeFactor(client, owner.sync, factorId)).ok();
    return;
  }
  const { syncFactorToken } = await recoveredBy(client, owner.main);
  const { challenge, token } = (await client.keypairChallenge("add-sync-factor")).ok();
  const addition = { syncFactor: factor.prove(challenge), challengeToken: token, syncFactorToken };
  (await client.addSyncFactor(addition)).ok();
  const { syncFactors } = (await recoveredBy(client, owner.main)).metadata;
  (await removeFactor(client, owner.sync, syncFactors[1]?.id ?? "", { scope: "SYNC" })).ok();
}
