import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Elysia } from "elysia";
import { encryptionKeyOf } from "../backups/view.ts";
import { ServiceError } from "../errors.ts";
import { declaredLength } from "../http/body/request-body.ts";
import { withUpload } from "../http/body/upload.ts";
import { describeOperation } from "../http/reference/openapi.ts";
import { REGISTRATION_ERRORS } from "../http/reference/proof-errors.ts";
import { contextOf } from "../http/request-context.ts";
import type { Reply } from "../http/response/reply.ts";
import { normalizedHex, normalizedHexOrNull } from "../protocol/hex.ts";
import { operations, type RequestOf } from "../protocol/operations.ts";
import { memoise } from "../runtime/memoise.ts";
import type { Nonce } from "../runtime/nonce.ts";
import type { Services } from "../services.ts";
import { mainFactorKind, requireTurnkeyProviderId } from "./factor-kinds.ts";
import { proveAccountKey, proveNewMain, proveNewSync } from "./prove.ts";

const { create: wire } = operations;
const context = { operation: "create" } as const;
const compiledPayload = memoise(() => TypeCompiler.Compile(wire.request));

export function create(services: Services) {
  const { backups, config, diskReserve, requestLimits, uploadBudget: budget } = services;
  const { maxBackupBytes } = config.limits;
  const uploadOptions = { maxBackupBytes, budget };
  return new Elysia({ name: "create" }).post(
    wire.path,
    async ({ request }): Reply<typeof wire> => {
      const { address } = contextOf(request);
      const maxBytes = Math.min(declaredLength(request.headers) ?? Number.POSITIVE_INFINITY, maxBackupBytes);
      requestLimits.admitCreate(address, maxBytes);
      await diskReserve.requireRoom();
      return withUpload(request, compiledPayload(), uploadOptions, async (payload, content, arrivedBytes) => {
        const turnkeyProviderId = requireTurnkeyProviderId(payload.authorization, payload.turnkeyProviderId);
        const nonces = await proveAccount(payload);
        const main = await proveNewMain(services, payload.authorization, payload.challengeToken, context);
        const { initialSyncFactor, initialSyncChallengeToken } = payload;
        const syncFactor = await backups.reportingReplays(main.nonces, () =>
          proveNewSync(services, initialSyncFactor, initialSyncChallengeToken, context),
        );
        const created = {
          backupId: payload.backupAccountId,
          manifestHash: normalizedHex(payload.manifestHash),
          encryptionKey: encryptionKeyOf(payload.initialEncryptionKey),
          encryptionPublicKey: normalizedHexOrNull(payload.encryptionPublicKey),
          nonces,
          mainFactor: { ...main, kind: mainFactorKind(main.kind, turnkeyProviderId) },
          syncFactor,
          content: diskReserve.whileRoom(content),
          client: address,
        };
        const backupMetadata = await requestLimits.limitCreate(address, maxBytes, arrivedBytes, () =>
          backups.create(created),
        );
        return { backupId: payload.backupAccountId, backupMetadata };
      });
    },
    {
      parse: "none",
      detail: describeOperation(wire, [
        "missing_backup_account_proof",
        "invalid_backup_account_id",
        "invalid_signature",
        "invalid_sync_factor_type",
        ...REGISTRATION_ERRORS,
        "already_used",
        "factor_already_exists",
        "backup_account_id_already_exists",
      ]),
    },
  );

  /**
   * The proof that the client has the key in the account id, so that nobody can take the id of another account. The nonce
   * is consumed with those of the factors. Older clients send no such proof.
   */
  async function proveAccount(payload: RequestOf<"create">): Promise<readonly Nonce[]> {
    const { backupAccountChallengeToken: challengeToken, backupAccountSignature: signature } = payload;
    if (challengeToken == null && signature == null && !config.enforceBackupAccountProof) return [];
    if (challengeToken == null || signature == null)
      throw new ServiceError(
        "missing_backup_account_proof",
        "Send backupAccountChallengeToken and backupAccountSignature",
      );
    const solved = { signature, challengeToken };
    return [
      await proveAccountKey(services, payload.backupAccountId, solved, { operation: "backup-account" }),
    ];
  }
}
