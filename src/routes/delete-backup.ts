import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";
import { prove } from "./prove.ts";

const { deleteBackup: wire } = operations;
const context = { operation: "delete-backup" } as const;

export function deleteBackup(services: Services) {
  const { backups, requestLimits } = services;
  return new Elysia({ name: "delete-backup" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "delete a backup" }))
    .post(
      wire.path,
      async ({ body, request }): Reply<typeof wire> => {
        const proven = await prove(services, wire.authorisedBy, body, context);
        await requestLimits.limitDestruction(contextOf(request).address, () => backups.deleteBackup(proven));
      },
      {
        ...jsonBody(wire.request),
        detail: describeOperation(wire, {
          tag: "Backups",
          summary: "Delete a backup",
          description:
            "Deletes content, metadata and every factor. Needs a sync factor. The key that deleted a backup may repeat " +
            "the call with a fresh challenge: for 15 minutes the answer is the same, unless the key is on another backup.",
          errors: [...EXISTING_FACTOR_ERRORS[wire.authorisedBy], "conflicting_lock"],
        }),
      },
    );
}
