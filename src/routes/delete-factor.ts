import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError } from "../errors.ts";
import { attestedJsonBody } from "../http/body.ts";
import { keypairChallengeRoute } from "../http/challenge-route.ts";
import { examples } from "../http/examples.ts";
import { operation } from "../http/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import {
  Authorization,
  ChallengeToken,
  Metadata,
  object,
  optional,
  type Reply,
  StoredEncryptionKey,
  text,
} from "../http/schemas.ts";
import type { Services } from "../services.ts";
import { ATTESTATION_ERRORS, EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";

const FactorId = text({ description: "The `id` of a factor in the metadata.", example: examples.factorId });

const DeleteFactorRequest = object({
  authorization: Authorization,
  challengeToken: ChallengeToken,
  factorId: FactorId,
  scope: Type.Union([Type.Literal("MAIN"), Type.Literal("SYNC")], {
    description: "Whether the factor to remove is a main or a sync factor.",
  }),
  encryptionKey: optional(StoredEncryptionKey),
});

export const DeleteFactorResponse = Type.Object({
  backupDeleted: Type.Boolean({ description: "The last main factor is gone, and the backup with it." }),
  backupMetadata: Type.Union([Metadata, Type.Null()]),
});

export function deleteFactor(services: Services) {
  const { attestation, authenticator, backups, requestLimits } = services;
  return new Elysia({ name: "delete-factor" })
    .use(
      keypairChallengeRoute(services, {
        operation: "delete-factor",
        purpose: "remove a factor",
        bound: { name: "factorId", schema: FactorId },
      }),
    )
    .post(
      "/v1/delete-factor",
      async ({ body, request }): Reply<typeof DeleteFactorResponse> => {
        const { factorId, scope, encryptionKey } = body;
        if (scope === "SYNC" && encryptionKey != null)
          throw new ServiceError(
            "encryption_key_not_allowed",
            "An encryption key goes with a main factor only",
          );
        const proof = await authenticator.authenticate("SYNC", body.authorization, body.challengeToken, {
          operation: "delete-factor",
          bindings: { factorId },
        });
        const removal = { factorId, scope, ...(encryptionKey == null ? {} : { encryptionKey }) };
        const backupMetadata = await requestLimits.limitDestruction(contextOf(request).address, () =>
          backups.deleteFactor(proof, removal),
        );
        return { backupDeleted: backupMetadata === null, backupMetadata };
      },
      {
        ...attestedJsonBody(DeleteFactorRequest, attestation),
        detail: operation({
          tag: "Factors",
          summary: "Remove a factor",
          description:
            "Removes a main factor (with the encryption key that only it needed, if that is sent along) or a sync factor. " +
            "The last main factor takes the whole backup with it, unless another device removed the one before it at the " +
            "same time: then the answer is `conflicting_lock`. Needs a sync factor.",
          response: DeleteFactorResponse,
          attested: true,
          errors: [
            ...ATTESTATION_ERRORS,
            "encryption_key_not_allowed",
            ...EXISTING_FACTOR_ERRORS.SYNC,
            "factor_not_found",
            "encryption_key_not_found",
            "factor_orphaned_from_encryption_key",
            "conflicting_lock",
          ],
        }),
      },
    );
}
