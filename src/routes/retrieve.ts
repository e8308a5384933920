import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { createBackupDelivery } from "../http/backup-delivery.ts";
import { attestedJsonBody } from "../http/body.ts";
import { keypairChallengeRoute, passkeyChallengeRoute } from "../http/challenge-route.ts";
import { examples } from "../http/examples.ts";
import { operation } from "../http/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import { Authorization, ChallengeToken, Metadata, object } from "../http/schemas.ts";
import type { Services } from "../services.ts";
import { ATTESTATION_ERRORS, EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";

const RetrieveRequest = object({ authorization: Authorization, challengeToken: ChallengeToken });

export const RetrieveResponse = Type.Object({
  backup: Type.String({ description: "The ciphertext in base64.", example: "3q2+7w==" }),
  metadata: Metadata,
  syncFactorToken: Type.String({
    description: "Lets one new device put its sync factor on the backup, within 15 minutes.",
    example: examples.syncFactorToken,
  }),
});

const context = { operation: "retrieve" } as const;

export function retrieve(services: Services) {
  const { attestation, authenticator, backups } = services;
  const delivery = createBackupDelivery(services);
  return new Elysia({ name: "retrieve" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "recover a backup with a keypair" }))
    .use(passkeyChallengeRoute(services, { ...context, purpose: "recover a backup" }))
    .post(
      "/v1/retrieve/from-challenge",
      async ({ body, request }) => {
        const proof = await authenticator.authenticate(
          "MAIN",
          body.authorization,
          body.challengeToken,
          context,
        );
        const { address } = contextOf(request);
        const answer = await backups.retrieve(proof, address, (backup) => delivery.begin(request, backup));
        return answer.send();
      },
      {
        ...attestedJsonBody(RetrieveRequest, attestation),
        detail: operation({
          tag: "Backups",
          summary: "Recover a backup",
          description:
            "Returns the ciphertext, the metadata with the encrypted keys, and a token with which the new device adds its own sync factor. Needs a main factor.",
          response: RetrieveResponse,
          errors: [...ATTESTATION_ERRORS, ...EXISTING_FACTOR_ERRORS.MAIN, "conflicting_lock"],
          attested: true,
        }),
      },
    );
}
