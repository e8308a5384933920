import { Elysia } from "elysia";
import { attestedJsonBody } from "../http/body/body.ts";
import { keypairChallengeRoute, passkeyChallengeRoute } from "../http/challenge-route.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import { createBackupDelivery } from "../http/response/backup-delivery.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { ATTESTATION_ERRORS, EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";
import { prove } from "./prove.ts";

const { retrieve: wire } = operations;
const context = { operation: "retrieve" } as const;

export function retrieve(services: Services) {
  const { attestation, backups } = services;
  const delivery = createBackupDelivery(services);
  return new Elysia({ name: "retrieve" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "recover a backup with a keypair" }))
    .use(passkeyChallengeRoute(services, { ...context, purpose: "recover a backup" }))
    .post(
      wire.path,
      async ({ body, request }) => {
        const proven = await prove(services, wire.authorisedBy, body, context);
        const { address } = contextOf(request);
        const answer = await backups.retrieve(proven, address, (backup) => delivery.begin(request, backup));
        return answer.send();
      },
      {
        ...attestedJsonBody(wire.request, attestation),
        detail: describeOperation(wire, {
          tag: "Backups",
          summary: "Recover a backup",
          description:
            "Returns the ciphertext, the metadata with the encrypted keys, and a token with which the new device adds its own sync factor. Needs a main factor.",
          errors: [...ATTESTATION_ERRORS, ...EXISTING_FACTOR_ERRORS[wire.authorisedBy], "conflicting_lock"],
        }),
      },
    );
}
