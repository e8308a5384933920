import { Elysia } from "elysia";
import { attestedJsonBody } from "../http/body/body.ts";
import { keypairChallengeRoute, passkeyChallengeRoute } from "../http/challenge-route.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { ATTESTATION_ERRORS, EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";
import { prove } from "./prove.ts";

const { verifyFactor: wire } = operations;
const context = { operation: "verify-factor" } as const;

export function verifyFactor(services: Services) {
  const { attestation, backups } = services;
  return new Elysia({ name: "verify-factor" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "verify a keypair main factor" }))
    .use(passkeyChallengeRoute(services, { ...context, purpose: "verify a main factor" }))
    .post(
      wire.path,
      async ({ body }): Reply<typeof wire> => {
        const proven = await prove(services, wire.authorisedBy, body, context);
        return { backupId: await backups.verifyFactor(proven) };
      },
      {
        ...attestedJsonBody(wire.request, attestation),
        detail: describeOperation(wire, {
          tag: "Factors",
          summary: "Verify a main factor",
          description: "Tells which backup a main factor can recover, without fetching the backup.",
          errors: [...ATTESTATION_ERRORS, ...EXISTING_FACTOR_ERRORS[wire.authorisedBy], "conflicting_lock"],
        }),
      },
    );
}
