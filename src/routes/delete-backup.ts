import { Elysia } from "elysia";
import { jsonBody } from "../http/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { operation } from "../http/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import { Authorization, ChallengeToken, object } from "../http/schemas.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";

const DeleteBackupRequest = object({ authorization: Authorization, challengeToken: ChallengeToken });

const context = { operation: "delete-backup" } as const;

export function deleteBackup(services: Services) {
  const { authenticator, backups, requestLimits } = services;
  return new Elysia({ name: "delete-backup" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "delete a backup" }))
    .post(
      "/v1/delete-backup",
      async ({ body, request }) => {
        const proof = await authenticator.authenticate(
          "SYNC",
          body.authorization,
          body.challengeToken,
          context,
        );
        await requestLimits.limitDestruction(contextOf(request).address, () => backups.delete(proof));
      },
      {
        ...jsonBody(DeleteBackupRequest),
        detail: operation({
          tag: "Backups",
          summary: "Delete a backup",
          description:
            "Deletes content, metadata and every factor. Needs a sync factor. The key that deleted a backup may repeat " +
            "the call with a fresh challenge: for 15 minutes the answer is the same, unless the key is on another backup.",
          response: null,
          errors: [...EXISTING_FACTOR_ERRORS.SYNC, "conflicting_lock"],
        }),
      },
    );
}
