import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { proveAccountKey } from "./prove.ts";

const { reset: wire } = operations;

export function reset(services: Services) {
  const { backups, requestLimits } = services;
  return new Elysia({ name: "reset" }).post(
    wire.path,
    async ({ body, request }): Reply<typeof wire> => {
      const { backupAccountId } = body;
      const context = contextOf(request);
      context.backupId = backupAccountId;
      const issuedFor = { operation: "reset", bindings: { backupAccountId } } as const;
      const nonce = await proveAccountKey(services, backupAccountId, body, issuedFor);
      await requestLimits.limitDestruction(context.address, () => backups.reset(backupAccountId, [nonce]));
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["not_found", "conflicting_lock"]),
    },
  );
}
