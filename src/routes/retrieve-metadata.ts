import { Elysia } from "elysia";
import { jsonBody } from "../http/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { operation } from "../http/openapi.ts";
import {
  Authorization,
  ChallengeToken,
  Metadata,
  object,
  optional,
  type Reply,
  text,
} from "../http/schemas.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";

const RetrieveMetadataRequest = object({
  authorization: Authorization,
  challengeToken: ChallengeToken,
  backupId: optional(text({ description: "The backup that the client believes the factor is on." })),
});

const context = { operation: "retrieve-metadata" } as const;

export function retrieveMetadata(services: Services) {
  const { authenticator, backups } = services;
  return new Elysia({ name: "retrieve-metadata" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "read the metadata of a backup" }))
    .post(
      "/v1/retrieve-metadata",
      async ({ body }): Reply<typeof Metadata> => {
        const proof = await authenticator.authenticate(
          "SYNC",
          body.authorization,
          body.challengeToken,
          context,
        );
        return backups.retrieveMetadata(proof, body.backupId ?? null);
      },
      {
        ...jsonBody(RetrieveMetadataRequest),
        detail: operation({
          tag: "Backups",
          summary: "Read the metadata of a backup",
          description:
            "Returns keys, factors and manifest hash, not the content. With `backupId` the answer also tells a factor that " +
            "was removed (`unauthorized_factor`) from a backup that is gone (`backup_does_not_exist`). Needs a sync factor.",
          response: Metadata,
          errors: [...EXISTING_FACTOR_ERRORS.SYNC, "backup_does_not_exist", "backup_id_mismatch"],
        }),
      },
    );
}
