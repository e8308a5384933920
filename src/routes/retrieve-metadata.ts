import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { retrieveMetadata: wire } = operations;
const context = { operation: "retrieve-metadata" } as const;

export function retrieveMetadata(services: Services) {
  const { backups } = services;
  return new Elysia({ name: "retrieve-metadata" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const proven = await prove(services, wire.authorisedBy, body, context);
      return backups.retrieveMetadata(proven, body.backupId ?? null);
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["backup_does_not_exist", "backup_id_mismatch"]),
    },
  );
}
