import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Elysia } from "elysia";
import { withUpload } from "../http/body/upload.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { normalizedHex, normalizedHexOrNull } from "../protocol/hex.ts";
import { operations } from "../protocol/operations.ts";
import { memoise } from "../runtime/memoise.ts";
import type { Services } from "../services.ts";
import { prove } from "./prove.ts";

const { sync: wire } = operations;
const context = { operation: "sync" } as const;
const compiledPayload = memoise(() => TypeCompiler.Compile(wire.request));

export function sync(services: Services) {
  const { backups, config, uploadBudget: budget } = services;
  const uploadOptions = { maxBackupBytes: config.limits.maxBackupBytes, budget };
  return new Elysia({ name: "sync" }).post(
    wire.path,
    ({ request }): Reply<typeof wire> =>
      withUpload(request, compiledPayload(), uploadOptions, async (payload, content) => {
        const proven = await prove(services, wire.authorisedBy, payload, context);
        const backupId = await backups.sync(proven, {
          currentManifestHash: normalizedHex(payload.currentManifestHash),
          newManifestHash: normalizedHex(payload.newManifestHash),
          encryptionPublicKey: normalizedHexOrNull(payload.encryptionPublicKey),
          content,
          client: contextOf(request).address,
        });
        return { backupId };
      }),
    {
      parse: "none",
      detail: describeOperation(wire, [
        "manifest_hash_mismatch",
        "encryption_public_key_mismatch",
        "conflicting_lock",
      ]),
    },
  );
}
