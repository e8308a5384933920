import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { verifyAccountSignature } from "../proofs/account-key.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";

const { reset: wire } = operations;

export function reset(services: Services) {
  const { backups, challengeTokens, requestLimits } = services;
  return new Elysia({ name: "reset" }).post(
    wire.path,
    async ({ body: { backupAccountId, signature, challengeToken }, request }): Reply<typeof wire> => {
      const context = contextOf(request);
      context.backupId = backupAccountId;
      const { challenge, nonce } = await challengeTokens.open(challengeToken, "keypair", {
        operation: "reset",
        bindings: { backupAccountId },
      });
      verifyAccountSignature(backupAccountId, signature, challenge);
      await requestLimits.limitDestruction(context.address, () => backups.reset(backupAccountId, [nonce]));
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["not_found", "conflicting_lock"]),
    },
  );
}
