/** The operations that verify, add and remove factors. */
import { Type } from "@sinclair/typebox";
import {
  AddFactorChallengeRequest,
  AddFactorChallengeResponse,
  AddFactorRequest,
  AddFactorResponse,
} from "./add-factor.ts";
import { SyncAuthorization } from "./authorization.ts";
import { BackupIdResponse, EncryptionPublicKey } from "./backup.ts";
import { ChallengeToken } from "./challenge.ts";
import { StoredEncryptionKey } from "./encryption-key.ts";
import { FactorId, Scope } from "./factor.ts";
import { factorProof, syncFactorProof } from "./factor-proof.ts";
import { Metadata } from "./metadata.ts";
import { object, optional } from "./object.ts";
import type { WireOperation } from "./operation.ts";
import { paths } from "./paths.ts";
import { text } from "./text.ts";

/** How an existing factor may bind its proof to all that is added. */
const MATERIAL_BINDING =
  "In place of its 32 challenge bytes, the existing factor may authorise 64: the challenge and " +
  "SHA-256(`backup-service:add-factor-binding:v1` ‖ factor ‖ provider ‖ key). With lp(x) for the length of x in four " +
  "bytes, big-endian, and x: factor is 01 lp(credential id) lp(uncompressed point) lp(label) lp(clientDataJSON) " +
  "lp(attestationObject) of an ES256 passkey, 02 lp(id_token) or 03 lp(uncompressed point); provider is 00, or 01 " +
  "lp(turnkeyProviderId); key is 00, or 01 and 01 lp(encryptedKey) for PRF, 02 lp(encryptedKey) for ICLOUD, 03 " +
  "lp(encryptedKey) lp(turnkeyAccountId) lp(turnkeyUserId) lp(turnkeyPrivateKeyId) for TURNKEY. A key signs the 64 " +
  "bytes; an assertion has them as its challenge; a Turnkey activity has them in base64 as `metadata.challenge`.";

export const factorOperations = {
  verifyFactor: {
    method: "POST",
    path: paths.verifyFactor,
    tag: "Factors",
    summary: "Verify a main factor",
    description: "Returns the id of the backup that a main factor can recover, without fetching the backup.",
    request: object(factorProof),
    response: BackupIdResponse,
    authorisedBy: "MAIN",
    attested: true,
  },
  addFactorChallenge: {
    method: "POST",
    path: paths.addFactorChallenge,
    tag: "Challenges",
    summary: "The two challenges to add a main factor",
    description:
      "One for an existing main factor, one for the new one. The existing factor's token commits to the new " +
      "factor, and the two tokens work only with each other. A passkey's challenge is an options object, " +
      "other challenges are base64.",
    request: AddFactorChallengeRequest,
    response: AddFactorChallengeResponse,
    authorisedBy: null,
    countsAgainst: "challenge",
  },
  addFactor: {
    method: "POST",
    path: paths.addFactor,
    tag: "Factors",
    summary: "Add a main factor",
    description:
      "Adds a main factor to a backup, with the encryption key that it needs. An existing main factor " +
      "agrees to this very factor, and the new one proves itself; both tokens are consumed together. For a " +
      "factor that is on the backup, the response is the same, and the key is added if its kind is missing. " +
      MATERIAL_BINDING,
    request: AddFactorRequest,
    response: AddFactorResponse,
    authorisedBy: "MAIN",
  },
  addSyncFactor: {
    method: "POST",
    path: paths.addSyncFactor,
    tag: "Factors",
    summary: "Add a sync factor",
    description:
      "Adds the keypair of another device to a backup that was just recovered. The sync factor token is " +
      "consumed only when the factor was added. With `syncFactorToReplace` it replaces another one, " +
      "also at the limit; `conflicting_lock` if another device was faster.",
    request: object({
      challengeToken: ChallengeToken,
      syncFactor: SyncAuthorization,
      syncFactorToken: text({
        description: "The token that the recovery of the backup returned.",
      }),
      syncFactorToReplace: optional(
        text({
          description:
            "The `id` of a sync factor of the backup that the new one replaces. An id that is not there is ignored.",
        }),
      ),
      encryptionPublicKey: optional(EncryptionPublicKey),
    }),
    response: BackupIdResponse,
    authorisedBy: null,
  },
  deleteFactor: {
    method: "POST",
    path: paths.deleteFactor,
    tag: "Factors",
    summary: "Remove a factor",
    description:
      "Removes a main factor (with the encryption key that only it needed, if that is sent along) or a sync " +
      "factor. Removing the last main factor deletes the whole backup, unless another device removed the " +
      "previous one at the same time: then the response is `conflicting_lock`. Needs a sync factor.",
    request: object({
      ...syncFactorProof,
      factorId: FactorId,
      scope: Type.Union(Scope.anyOf, {
        description: "Whether the factor to remove is a main or a sync factor.",
      }),
      encryptionKey: optional(StoredEncryptionKey),
    }),
    response: Type.Object({
      backupDeleted: Type.Boolean({
        description: "Whether the last main factor was removed, and the backup with it.",
      }),
      backupMetadata: Type.Union([Metadata, Type.Null()]),
    }),
    authorisedBy: "SYNC",
    attested: true,
    countsAgainst: "destruction",
  },
} as const satisfies Readonly<Record<string, WireOperation>>;
