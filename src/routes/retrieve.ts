import { Elysia } from "elysia";
import { attestedJsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import { createBackupDelivery } from "../http/response/backup-delivery.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { retrieve: wire } = operations;
const context = { operation: "retrieve" } as const;

export function retrieve(services: Services) {
  const { attestation, backups } = services;
  const delivery = createBackupDelivery(services);
  return new Elysia({ name: "retrieve" }).post(
    wire.path,
    async ({ body, request }) => {
      const proven = await prove(services, wire.authorisedBy, body, context);
      const { address } = contextOf(request);
      const versionId = body.versionId ?? null;
      const response = await backups.retrieve(proven, { client: address, versionId }, (backup) =>
        delivery.begin(request, backup),
      );
      return response.send();
    },
    {
      ...attestedJsonBody(wire.request, attestation),
      detail: describeOperation(wire, ["version_not_found", "conflicting_lock"]),
    },
  );
}
