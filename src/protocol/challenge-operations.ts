/** The operations that issue a challenge for another operation. */
import type { TObject, TSchema, TString, TUnsafe } from "@sinclair/typebox";
import { BackupAccountId } from "./backup.ts";
import {
  KeypairChallenge,
  KeypairCreateChallenge,
  PasskeyChallenge,
  PasskeyCreateChallenge,
} from "./challenge.ts";
import { FactorId } from "./factor.ts";
import { object } from "./object.ts";
import type { WireOperation } from "./operation.ts";
import { PasskeyName, Platform } from "./webauthn.ts";

/** The request for a keypair challenge. The challenge token is bound to every member. */
export type BoundMembers = TObject<Record<string, TString | TUnsafe<string>>>;

interface ChallengeOperation<Path extends string, Request extends TObject, Response extends TSchema>
  extends WireOperation {
  readonly method: "POST";
  readonly path: Path;
  readonly request: Request;
  readonly response: Response;
}

function challenge<const Path extends string, Request extends TObject, Response extends TSchema>(
  path: Path,
  request: Request,
  response: Response,
): ChallengeOperation<Path, Request, Response> {
  return {
    method: "POST",
    path,
    request,
    response,
    authorisedBy: null,
    countsAgainst: "challenge",
  };
}

function keypair<const Name extends string, Request extends BoundMembers>(name: Name, request: Request) {
  return challenge(`/v1/${name}/challenge/keypair`, request, KeypairChallenge);
}

/** Challenges for a P-256 keypair (of `reset`: for the account key), by the operation that they are for. */
export const keypairChallenges = {
  retrieve: keypair("retrieve", object({})),
  "verify-factor": keypair("verify-factor", object({})),
  "add-sync-factor": keypair("add-sync-factor", object({})),
  sync: keypair("sync", object({})),
  "retrieve-metadata": keypair("retrieve-metadata", object({})),
  "delete-factor": keypair("delete-factor", object({ factorId: FactorId })),
  "delete-backup": keypair("delete-backup", object({})),
  reset: keypair("reset", object({ backupAccountId: BackupAccountId })),
} as const;

/** Challenges for an existing passkey, which the client need not name. The body is optional. */
export const passkeyChallenges = {
  retrieve: challenge("/v1/retrieve/challenge/passkey", object({}), PasskeyChallenge),
  "verify-factor": challenge("/v1/verify-factor/challenge/passkey", object({}), PasskeyChallenge),
} as const;

/** Challenges for the main factor of a new backup, each with a challenge for the account key. */
export const createChallenges = {
  keypair: challenge("/v1/create/challenge/keypair", object({}), KeypairCreateChallenge),
  passkey: challenge(
    "/v1/create/challenge/passkey",
    object({ name: PasskeyName, displayName: PasskeyName, platform: Platform }),
    PasskeyCreateChallenge,
  ),
} as const;

/** An operation that has a keypair challenge. */
export type KeypairSolvable = "create" | keyof typeof keypairChallenges;
