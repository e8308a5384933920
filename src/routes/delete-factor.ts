import { Elysia } from "elysia";
import { ServiceError } from "../errors.ts";
import { attestedJsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { deleteFactor: wire } = operations;

export function deleteFactor(services: Services) {
  const { attestation, backups, requestLimits } = services;
  return new Elysia({ name: "delete-factor" }).post(
    wire.path,
    async ({ body, request }): Reply<typeof wire> => {
      const { factorId, scope, encryptionKey } = body;
      if (scope === "SYNC" && encryptionKey != null)
        throw new ServiceError(
          "encryption_key_not_allowed",
          "An encryption key goes with a main factor only",
        );
      const context = { operation: "delete-factor", bindings: { factorId } } as const;
      const proven = await prove(services, wire.authorisedBy, body, context);
      const removal = { factorId, scope, ...(encryptionKey == null ? {} : { encryptionKey }) };
      const backupMetadata = await requestLimits.limitDestruction(contextOf(request).address, () =>
        backups.deleteFactor(proven, removal),
      );
      return { backupDeleted: backupMetadata === null, backupMetadata };
    },
    {
      ...attestedJsonBody(wire.request, attestation),
      detail: describeOperation(wire, [
        "encryption_key_not_allowed",
        "factor_not_found",
        "encryption_key_not_found",
        "factor_orphaned_from_encryption_key",
        "conflicting_lock",
      ]),
    },
  );
}
