import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";
import { prove } from "./prove.ts";

const { retrieveMetadata: wire } = operations;
const context = { operation: "retrieve-metadata" } as const;

export function retrieveMetadata(services: Services) {
  const { backups } = services;
  return new Elysia({ name: "retrieve-metadata" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "read the metadata of a backup" }))
    .post(
      wire.path,
      async ({ body }): Reply<typeof wire> => {
        const proven = await prove(services, wire.authorisedBy, body, context);
        return backups.retrieveMetadata(proven, body.backupId ?? null);
      },
      {
        ...jsonBody(wire.request),
        detail: describeOperation(wire, {
          tag: "Backups",
          summary: "Read the metadata of a backup",
          description:
            "Returns keys, factors and manifest hash, not the content. With `backupId` the answer also tells a factor that " +
            "was removed (`unauthorized_factor`) from a backup that is gone (`backup_does_not_exist`). Needs a sync factor.",
          errors: [
            ...EXISTING_FACTOR_ERRORS[wire.authorisedBy],
            "backup_does_not_exist",
            "backup_id_mismatch",
          ],
        }),
      },
    );
}
