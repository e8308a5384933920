import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Elysia } from "elysia";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { operation } from "../http/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import {
  Authorization,
  BackupIdResponse,
  ChallengeToken,
  ManifestHash,
  normalizedManifestHash,
  object,
  type Reply,
} from "../http/schemas.ts";
import { withUpload } from "../http/upload.ts";
import { lazy } from "../lazy.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";

const SyncPayload = object({
  authorization: Authorization,
  challengeToken: ChallengeToken,
  currentManifestHash: ManifestHash,
  newManifestHash: ManifestHash,
});
const compiledPayload = lazy(() => TypeCompiler.Compile(SyncPayload));

const context = { operation: "sync" } as const;

export function sync(services: Services) {
  const { authenticator, backups, config, uploadBudget: budget, readingTurns } = services;
  const uploadOptions = { maxBackupBytes: config.limits.maxBackupBytes, budget, readingTurns };
  return new Elysia({ name: "sync" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "update a backup" }))
    .post(
      "/v1/sync",
      ({ request }): Reply<typeof BackupIdResponse> =>
        withUpload(request, compiledPayload(), uploadOptions, async (payload, content) => {
          const proof = await authenticator.authenticate(
            "SYNC",
            payload.authorization,
            payload.challengeToken,
            context,
          );
          const backupId = await backups.sync(proof, {
            currentManifestHash: normalizedManifestHash(payload.currentManifestHash),
            newManifestHash: normalizedManifestHash(payload.newManifestHash),
            content,
            client: contextOf(request).address,
          });
          return { backupId };
        }),
      {
        parse: "none",
        detail: operation({
          tag: "Backups",
          summary: "Update a backup",
          description:
            "Replaces the ciphertext and the manifest hash together. The client says which manifest hash it believes is " +
            "current: when that is not so, nothing changes and the answer is `manifest_hash_mismatch`. Needs a sync factor.",
          body: { payload: SyncPayload },
          response: BackupIdResponse,
          errors: [...EXISTING_FACTOR_ERRORS.SYNC, "manifest_hash_mismatch", "conflicting_lock"],
        }),
      },
    );
}
