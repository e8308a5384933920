import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { listEvents: wire } = operations;
const context = { operation: "events" } as const;
const DEFAULT_LIMIT = 50;

export function listEvents(services: Services) {
  return new Elysia({ name: "events" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const proven = await prove(services, wire.authorisedBy, body, context);
      const before = body.before?.toLowerCase() ?? null;
      return services.backups.listEvents(proven, { before, limit: body.limit ?? DEFAULT_LIMIT });
    },
    { ...jsonBody(wire.request), detail: describeOperation(wire) },
  );
}
