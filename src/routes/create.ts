import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Elysia } from "elysia";
import { encryptionKeyOf } from "../backup/exported-metadata.ts";
import { ServiceError } from "../errors.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { readUpload } from "../http/multipart.ts";
import { operation } from "../http/openapi.ts";
import {
  Authorization,
  BackupAccountId,
  ChallengeToken,
  EncryptionKey,
  ManifestHash,
  Metadata,
  normalizedManifestHash,
  object,
  optional,
  text,
} from "../http/schemas.ts";
import type { Services } from "../services.ts";

const CreatePayload = object({
  authorization: Authorization,
  challengeToken: ChallengeToken,
  initialEncryptionKey: EncryptionKey,
  initialSyncFactor: Authorization,
  initialSyncChallengeToken: ChallengeToken,
  turnkeyProviderId: optional(
    text({ description: "Required when the main factor is a Google or Apple account." }),
  ),
  manifestHash: ManifestHash,
  backupAccountId: BackupAccountId,
});
const compiledPayload = TypeCompiler.Compile(CreatePayload);

export const CreateResponse = Type.Object({ backupId: BackupAccountId, backupMetadata: Metadata });

const context = { operation: "create" } as const;

export function create(services: Services) {
  const { authenticator, backups, config } = services;
  return new Elysia({ name: "create" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "create a backup with a keypair" }))
    .post(
      "/v1/create",
      async ({ request }) => {
        const { payload, backup } = await readUpload(request, compiledPayload, config.limits.maxBackupBytes);
        if (payload.authorization.kind === "OIDC_ACCOUNT" && payload.turnkeyProviderId == null)
          throw new ServiceError(
            "missing_turnkey_provider_id",
            "An account as main factor needs turnkeyProviderId",
          );

        const main = await authenticator.register(
          "MAIN",
          payload.authorization,
          payload.challengeToken,
          context,
        );
        const sync = await authenticator.register(
          "SYNC",
          payload.initialSyncFactor,
          payload.initialSyncChallengeToken,
          context,
        );
        const backupMetadata = await backups.create({
          backupId: payload.backupAccountId,
          manifestHash: normalizedManifestHash(payload.manifestHash),
          encryptionKey: encryptionKeyOf(payload.initialEncryptionKey),
          mainFactor: main,
          syncFactor: sync,
          content: backup,
        });
        return { backupId: payload.backupAccountId, backupMetadata };
      },
      {
        parse: "none",
        detail: operation({
          tag: "Backups",
          summary: "Create a backup",
          description:
            "Stores a ciphertext with one main factor and one sync factor. Both solve a challenge of this operation. " +
            "Of several requests for one account id or one factor exactly one succeeds; the others leave nothing behind.",
          body: { payload: CreatePayload },
          response: CreateResponse,
          errors: [
            "missing_turnkey_provider_id",
            "invalid_sync_factor_type",
            "not_supported",
            "jwt_error",
            "unexpected_challenge_type",
            "invalid_challenge_context",
            "signature_verification_error",
            "already_used",
            "factor_already_exists",
            "backup_account_id_already_exists",
          ],
        }),
      },
    );
}
