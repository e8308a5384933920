import { Elysia } from "elysia";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { KEYPAIR_ERRORS } from "../http/reference/proof-errors.ts";
import type { Reply } from "../http/response/reply.ts";
import { normalizedHexOrNull } from "../protocol/hex.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { proveNewSync } from "./prove.ts";

const { addSyncFactor: wire } = operations;
const context = { operation: "add-sync-factor" } as const;

export function addSyncFactor(services: Services) {
  const { backups } = services;
  return new Elysia({ name: "add-sync-factor" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const added = await proveNewSync(services, body.syncFactor, body.challengeToken, context);
      const backupId = await backups.addSyncFactor(added, {
        token: body.syncFactorToken,
        challengedAtMs: added.issuedAtMs,
        replacedId: body.syncFactorToReplace ?? null,
        encryptionPublicKey: normalizedHexOrNull(body.encryptionPublicKey),
      });
      return { backupId };
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, [
        "invalid_sync_factor_type",
        ...KEYPAIR_ERRORS,
        "already_used",
        "token_not_found",
        "backup_not_found",
        "factor_already_exists",
        "too_many_factors",
        "encryption_public_key_mismatch",
        "conflicting_lock",
      ]),
    },
  );
}
