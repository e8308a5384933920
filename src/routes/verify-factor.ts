import { Elysia } from "elysia";
import { attestedJsonBody } from "../http/body.ts";
import { keypairChallengeRoute, passkeyChallengeRoute } from "../http/challenge-route.ts";
import { operation } from "../http/openapi.ts";
import { Authorization, BackupIdResponse, ChallengeToken, object, type Reply } from "../http/schemas.ts";
import type { Services } from "../services.ts";
import { ATTESTATION_ERRORS, EXISTING_FACTOR_ERRORS } from "./factor-errors.ts";

const VerifyFactorRequest = object({ authorization: Authorization, challengeToken: ChallengeToken });

const context = { operation: "verify-factor" } as const;

export function verifyFactor(services: Services) {
  const { attestation, authenticator, backups } = services;
  return new Elysia({ name: "verify-factor" })
    .use(keypairChallengeRoute(services, { ...context, purpose: "verify a keypair main factor" }))
    .use(passkeyChallengeRoute(services, { ...context, purpose: "verify a main factor" }))
    .post(
      "/v1/verify-factor",
      async ({ body }): Reply<typeof BackupIdResponse> => {
        const proof = await authenticator.authenticate(
          "MAIN",
          body.authorization,
          body.challengeToken,
          context,
        );
        return { backupId: await backups.verifyFactor(proof) };
      },
      {
        ...attestedJsonBody(VerifyFactorRequest, attestation),
        detail: operation({
          tag: "Factors",
          summary: "Verify a main factor",
          description: "Tells which backup a main factor can recover, without fetching the backup.",
          response: BackupIdResponse,
          errors: [...ATTESTATION_ERRORS, ...EXISTING_FACTOR_ERRORS.MAIN, "conflicting_lock"],
          attested: true,
        }),
      },
    );
}
