import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "../http/body.ts";
import { examples } from "../http/examples.ts";
import { operation } from "../http/openapi.ts";
import { BackupAccountId, object, type Reply, text } from "../http/schemas.ts";
import type { Services } from "../services.ts";

const StatusRequest = object({
  backupId: text({ description: "The id of a backup.", example: examples.backupId }),
});

export const StatusResponse = Type.Object({
  backupId: BackupAccountId,
  factors: Type.Array(
    Type.Object({
      kind: Type.Union([Type.Literal("PASSKEY"), Type.Literal("OIDC_ACCOUNT"), Type.Literal("EC_KEYPAIR")]),
      accountKind: Type.Union([Type.Literal("GOOGLE"), Type.Literal("APPLE"), Type.Null()]),
    }),
    { description: "The main factors, oldest first." },
  ),
});

export function backupStatus({ backups }: Services) {
  return new Elysia({ name: "backup-status" }).post(
    "/v1/backup/status",
    async ({ body: { backupId } }): Reply<typeof StatusResponse> => ({
      backupId,
      factors: await backups.status(backupId),
    }),
    {
      ...jsonBody(StatusRequest),
      detail: operation({
        tag: "Backups",
        summary: "Whether a backup exists",
        description: "Tells anybody which kinds of main factors a backup can be recovered with. Public.",
        response: StatusResponse,
        errors: ["not_found"],
      }),
    },
  );
}
