import { Elysia } from "elysia";
import { attestedJsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { undelete: wire } = operations;

export function undelete(services: Services) {
  const { attestation, backups } = services;
  return new Elysia({ name: "undelete" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const { backupId } = body;
      const context = { operation: "undelete", bindings: { backupId } } as const;
      const proven = await prove(services, wire.authorisedBy, body, context, (...assertion) =>
        backups.findDeletedPasskey(backupId, ...assertion),
      );
      return { backupId, backupMetadata: await backups.undelete(proven, backupId) };
    },
    {
      ...attestedJsonBody(wire.request, attestation),
      detail: describeOperation(wire, [
        "backup_does_not_exist",
        "backup_account_id_already_exists",
        "factor_already_exists",
      ]),
    },
  );
}
