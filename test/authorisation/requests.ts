/** The request of each operation, valid in all but what the case changes. */

import { type Addition, additionChallenge, existingHalf, newHalf, stamped } from "../support/additions.ts";
import type { ApiResponse } from "../support/api-client.ts";
import {
  type AuthorizationBody,
  type ChallengeValue,
  createPayloadOf,
  type MainFactor,
  newFactorUser,
  newKeypair,
  recoveredBy,
  TURNKEY,
  TURNKEY_PROVIDER_ID,
  textOf,
} from "../support/factors.ts";
import { turnkeyActivity } from "../support/turnkey-activity.ts";
import { newManifestHash, randomBytes } from "../support/users.ts";
import { challengeFor, type Issued } from "./challenges.ts";
import type { Attempt } from "./factors.ts";

/** What a factor answers to a challenge; a passkey that stamps a Turnkey activity sends that beside the stamp. */
export interface Solution {
  readonly authorization: AuthorizationBody;
  readonly activity?: string;
}

export interface Proof extends Solution {
  readonly challengeToken: string;
}

/** A challenge that was handed out, the factor's answer to any challenge, and the rest of the request. */
export interface Begun extends Issued {
  solve(challenge: ChallengeValue): Solution;
  send(proof: Proof): Promise<ApiResponse<unknown>>;
}

/** Asks for the challenge of an operation. */
export async function begin(attempt: Attempt, factor: MainFactor): Promise<Begun> {
  const { service, row, ids } = attempt;
  if (row.hasHalves)
    return row.theirs === null ? beginNewHalf(attempt, factor) : beginExistingHalf(attempt, factor);
  const bound = row.boundTo === undefined ? {} : { [row.boundTo]: ids[row.boundTo] };
  const issued = await challengeFor(service, row.context, factor.challengeType, bound);
  return {
    ...issued,
    solve: (challenge) => ({
      authorization: row.theirs === null ? factor.register().answer(challenge) : factor.prove(challenge),
    }),
    send: ({ authorization, challengeToken }) => send(attempt, factor, { authorization, challengeToken }),
  };
}

async function send(
  { service: { client }, row, user, ids: { factorId, versionId, backupId } }: Attempt,
  factor: MainFactor,
  proof: { readonly authorization: AuthorizationBody; readonly challengeToken: string },
): Promise<ApiResponse<unknown>> {
  switch (row.name) {
    case "create, main factor": {
      const payload = await createPayloadOf(client, newFactorUser(factor), () => proof.authorization);
      return client.create({ ...payload, ...proof }, user.backup);
    }
    case "create, sync factor": {
      const payload = await createPayloadOf(client, newFactorUser(newKeypair()));
      const initialSyncFactor = proof.authorization;
      const initialSyncChallengeToken = proof.challengeToken;
      return client.create({ ...payload, initialSyncFactor, initialSyncChallengeToken }, user.backup);
    }
    case "retrieve":
      return client.retrieve(proof);
    case "verify-factor":
      return client.verifyFactor(proof);
    case "add-sync-factor": {
      const { syncFactorToken } = await recoveredBy(client, user.main);
      const { authorization: syncFactor, challengeToken } = proof;
      return client.addSyncFactor({ syncFactor, challengeToken, syncFactorToken });
    }
    case "sync": {
      const hashes = { currentManifestHash: user.manifestHash, newManifestHash: newManifestHash() };
      return client.sync({ ...proof, ...hashes }, randomBytes(20));
    }
    case "undelete":
      return client.undelete({ ...proof, backupId });
    case "events":
      return client.listEvents(proof);
    case "restore-version":
      return client.restoreVersion({ ...proof, versionId, currentManifestHash: user.manifestHash });
    case "retrieve-metadata":
      return client.retrieveMetadata(proof);
    case "delete-factor":
      return client.deleteFactor({ ...proof, factorId, scope: "SYNC" });
    case "delete-backup":
      return client.deleteBackup(proof);
    default:
      throw new Error(`${row.name} is not sent`);
  }
}

/** The factor is on the backup and a new keypair is added. */
async function beginExistingHalf({ service, name }: Attempt, factor: MainFactor): Promise<Begun> {
  const { client, clock } = service;
  const byStamp = name === "PASSKEY_BY_STAMP";
  const byAssertion = factor.kind === "PASSKEY" && !byStamp;
  const addition: Addition = {
    existing: factor,
    existingKind: byAssertion ? "PASSKEY_ASSERTION" : factor.kind,
    added: newKeypair(),
    nowMs: clock.nowMs(),
  };
  const { ceremony, challenges } = await additionChallenge(client, addition);
  const half = newHalf(addition, ceremony, challenges);
  return {
    challenge: challenges.existingFactorChallenge,
    token: challenges.existingFactorToken,
    solve(challenge) {
      if (!byStamp) return { authorization: factor.prove(challenge) };
      const activity = turnkeyActivity({
        challenge: Buffer.from(textOf(challenge), "base64"),
        organizationId: TURNKEY.turnkeyAccountId,
        nowMs: clock.nowMs(),
      });
      return { authorization: stamped(factor, activity), activity };
    },
    send: ({ authorization, challengeToken, activity = null }) =>
      client.addFactor({
        existingFactorAuthorization: authorization,
        existingFactorChallengeToken: challengeToken,
        existingFactorTurnkeyActivity: activity,
        ...half,
      }),
  };
}

/** The factor is added by the keypair that is on the user's backup. */
async function beginNewHalf({ service, user }: Attempt, factor: MainFactor): Promise<Begun> {
  const { client, clock } = service;
  const addition: Addition = {
    existing: user.main,
    existingKind: "EC_KEYPAIR",
    added: factor,
    nowMs: clock.nowMs(),
  };
  const { ceremony, challenges } = await additionChallenge(client, addition);
  const half = existingHalf(addition, challenges);
  return {
    challenge: challenges.newFactorChallenge,
    token: challenges.newFactorToken,
    solve: (challenge) => ({ authorization: ceremony.answer(challenge) }),
    send: ({ authorization, challengeToken }) =>
      client.addFactor({
        ...half,
        newFactorAuthorization: authorization,
        newFactorChallengeToken: challengeToken,
        turnkeyProviderId: TURNKEY_PROVIDER_ID,
      }),
  };
}
