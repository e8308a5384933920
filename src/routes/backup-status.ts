import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";

const { backupStatus: wire } = operations;

export function backupStatus({ backups }: Services) {
  return new Elysia({ name: "backup-status" }).post(
    wire.path,
    async ({ body: { backupId } }): Reply<typeof wire> => ({
      backupId,
      factors: await backups.backupStatus(backupId),
    }),
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["not_found"]),
    },
  );
}
