import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import type { Reply } from "../http/response/reply.ts";
import { normalizedHex } from "../protocol/hex.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { restoreVersion: wire } = operations;

export function restoreVersion(services: Services) {
  return new Elysia({ name: "restore-version" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const { versionId } = body;
      const context = { operation: "restore-version", bindings: { versionId } } as const;
      const proven = await prove(services, wire.authorisedBy, body, context);
      const currentManifestHash = normalizedHex(body.currentManifestHash);
      const backupMetadata = await services.backups.restoreVersion(proven, {
        versionId,
        currentManifestHash,
      });
      return { backupId: backupMetadata.id, backupMetadata };
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, ["manifest_hash_mismatch", "version_not_found", "conflicting_lock"]),
    },
  );
}
