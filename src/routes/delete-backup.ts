import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { deleteBackup: wire } = operations;
const context = { operation: "delete-backup" } as const;

export function deleteBackup(services: Services) {
  const { backups, requestLimits } = services;
  return new Elysia({ name: "delete-backup" }).post(
    wire.path,
    async ({ body, request }): Reply<typeof wire> => {
      const proven = await prove(services, wire.authorisedBy, body, context);
      await requestLimits.limitDestruction(contextOf(request).address, () => backups.deleteBackup(proven));
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["conflicting_lock"]),
    },
  );
}
