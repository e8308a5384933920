import { Elysia } from "elysia";
import { encryptionKeyOf } from "../backups/view.ts";
import { jsonBody } from "../http/body/body.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { REGISTRATION_ERRORS } from "../http/reference/proof-errors.ts";
import type { Reply } from "../http/response/reply.ts";
import { operations } from "../protocol/operations.ts";
import type { Services } from "../services.ts";
import { proveAddition } from "./prove-addition.ts";

const { addFactor: wire } = operations;

export function addFactor(services: Services) {
  const { backups } = services;
  return new Elysia({ name: "add-factor" }).post(
    wire.path,
    async ({ body }): Reply<typeof wire> => {
      const { by, added } = await proveAddition(services, body);
      const key = body.encryptedBackupKey == null ? null : encryptionKeyOf(body.encryptedBackupKey);
      const { factorId, metadata } = await backups.addFactor(by, added, key);
      return { factorId, backupMetadata: metadata };
    },
    {
      ...jsonBody(wire.request),
      detail: describeOperation(wire, [
        "not_supported",
        "missing_turnkey_activity",
        "turnkey_activity_error",
        "invalid_turnkey_activity",
        "invalid_challenge",
        "invalid_new_factor_type",
        "invalid_new_factor_authorization_type",
        "oidc_token_mismatch",
        "passkey_registration_mismatch",
        "existing_factor_material_binding_mismatch",
        ...REGISTRATION_ERRORS,
        "factor_already_exists",
        "only_one_encryption_key_per_type_allowed",
        "too_many_factors",
        "conflicting_lock",
      ]),
    },
  );
}
