/** The operations that issue a challenge for another operation. */
import type { TObject, TSchema, TString, TUnsafe } from "@sinclair/typebox";
import { BackupAccountId, DeletedBackupId } from "./backup.ts";
import {
  KeypairChallenge,
  KeypairCreateChallenge,
  PasskeyChallenge,
  PasskeyCreateChallenge,
} from "./challenge.ts";
import { FactorId } from "./factor.ts";
import { object } from "./object.ts";
import type { WireOperation } from "./operation.ts";
import { challengePath } from "./paths.ts";
import { VersionId } from "./version.ts";
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

const SIGN = "Returns 32 random bytes for a keypair to sign, and a token to send with the signature.";
const USE_PASSKEY =
  "Returns options for a passkey that the device can offer, and a token to send with its response.";
const MAY_BE_LEFT_OUT = " The body may be left out.";
const MAKE_PASSKEY = "Returns options to make a passkey, and a token to send with the registration.";

/** @param purpose completes "A challenge to …". */
function challenge<const Path extends string, Request extends TObject, Response extends TSchema>(
  path: Path,
  purpose: string,
  description: string,
  request: Request,
  response: Response,
): ChallengeOperation<Path, Request, Response> {
  return {
    method: "POST",
    path,
    tag: "Challenges",
    summary: `A challenge to ${purpose}`,
    description: `${description} Valid for 15 minutes, for this operation only, and once.`,
    request,
    response,
    authorisedBy: null,
    countsAgainst: "challenge",
  };
}

function keypair<const Name extends string, Request extends BoundMembers>(
  name: Name,
  purpose: string,
  request: Request,
) {
  return challenge(
    challengePath(name, "keypair"),
    purpose,
    SIGN + boundTo(request),
    request,
    KeypairChallenge,
  );
}

function passkey<const Name extends string, Request extends BoundMembers>(
  name: Name,
  purpose: string,
  request: Request,
) {
  const isBodyOptional = Object.keys(request.properties).length === 0;
  const description = USE_PASSKEY + (isBodyOptional ? MAY_BE_LEFT_OUT : boundTo(request));
  const wire = challenge(challengePath(name, "passkey"), purpose, description, request, PasskeyChallenge);
  return { ...wire, isBodyOptional };
}

function boundTo(request: BoundMembers): string {
  return Object.keys(request.properties)
    .map((member) => ` The token is bound to \`${member}\`.`)
    .join("");
}

/** Challenges for a P-256 keypair (of `reset`: for the account key), by the operation that they are for. */
export const keypairChallenges = {
  retrieve: keypair("retrieve", "recover a backup with a keypair", object({})),
  "verify-factor": keypair("verify-factor", "verify a keypair main factor", object({})),
  "add-sync-factor": keypair("add-sync-factor", "add a sync factor", object({})),
  sync: keypair("sync", "update a backup", object({})),
  "restore-version": keypair("restore-version", "restore a version", object({ versionId: VersionId })),
  undelete: keypair("undelete", "bring back a deleted backup", object({ backupId: DeletedBackupId })),
  events: keypair("events", "read the security log", object({})),
  "retrieve-metadata": keypair("retrieve-metadata", "read the metadata of a backup", object({})),
  "delete-factor": keypair("delete-factor", "remove a factor", object({ factorId: FactorId })),
  "delete-backup": keypair("delete-backup", "delete a backup", object({})),
  reset: keypair(
    "reset",
    "reset a backup with its account key",
    object({ backupAccountId: BackupAccountId }),
  ),
} as const;

/** Challenges for an existing passkey, which the client need not name. A body without members is optional. */
export const passkeyChallenges = {
  retrieve: passkey("retrieve", "recover a backup with a passkey", object({})),
  "verify-factor": passkey("verify-factor", "verify a passkey main factor", object({})),
  undelete: passkey(
    "undelete",
    "bring back a deleted backup with a passkey",
    object({ backupId: DeletedBackupId }),
  ),
} as const;

/** Challenges for the main factor of a new backup, each with a challenge for the account key. */
export const createChallenges = {
  keypair: challenge(
    challengePath("create", "keypair"),
    "create a backup with a keypair",
    SIGN,
    object({}),
    KeypairCreateChallenge,
  ),
  passkey: challenge(
    challengePath("create", "passkey"),
    "create a backup with a passkey",
    MAKE_PASSKEY,
    object({ name: PasskeyName, displayName: PasskeyName, platform: Platform }),
    PasskeyCreateChallenge,
  ),
} as const;

/** An operation that has a keypair challenge. */
export type KeypairSolvable = "create" | keyof typeof keypairChallenges;
