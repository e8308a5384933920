import { Elysia } from "elysia";
import { attestedJsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { verifyFactor: wire } = operations;
const context = { operation: "verify-factor" } as const;

export function verifyFactor(services: Services) {
  const { attestation, backups } = services;
  return new Elysia({ name: "verify-factor" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const proven = await prove(services, wire.authorisedBy, body, context);
      return { backupId: await backups.verifyFactor(proven) };
    },
    {
      ...attestedJsonBody(wire.request, attestation),
      detail: describeOperation(wire, ["conflicting_lock"]),
    },
  );
}
