/** Requests of others to a backup while a request is in progress. */
import type { Services } from "../../src/services.ts";
import type { ApiClient, ApiResponse } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { manifestHashOf } from "../support/invariants.ts";
import {
  addSyncFactorRequest,
  createPayload,
  randomBytes,
  recovered,
  resetRequest,
  syncPayload,
  type User,
} from "../support/users.ts";
import { isListed, isStored, newOwner, refOf } from "./scenario.ts";

export interface Rival {
  readonly name: string;
  /** Whether the backup is there before the request, as opposed to being created by it. */
  readonly onBackup: boolean;
  /** The error codes that the request may get then. */
  refusals(operation: string): readonly string[];
  /** Whether the rival deletes or replaces the backup, so that the request's effect may be gone. */
  readonly endsBackup: boolean;
  prepare(client: ApiClient, user: User): Promise<RivalRequest>;
}

interface RivalRequest {
  act(client: ApiClient): Promise<ApiResponse<unknown>>;
  /** Whether the rival's acknowledged change is still stored, if no other request undid it. */
  holds(services: Services): Promise<boolean>;
}

const GONE = [
  "backup_untraceable",
  "backup_missing",
  "unauthorized_factor",
  "not_found",
  "backup_not_found",
  "conflicting_lock",
];

export const RIVALS: readonly Rival[] = [
  {
    name: "another device joins",
    onBackup: true,
    endsBackup: false,
    refusals: () => [],
    async prepare(client, user) {
      const { syncFactorToken } = await recovered(client, user);
      const laptop = createFactorKeypair();
      const request = await addSyncFactorRequest(client, laptop, syncFactorToken);
      return {
        act: (to) => to.addSyncFactor(request),
        holds: (services) => isListed(services, user, refOf("SYNC", laptop)),
      };
    },
  },
  {
    name: "the content is replaced",
    onBackup: true,
    endsBackup: false,
    refusals: (operation) => (operation === "sync" ? ["manifest_hash_mismatch", "conflicting_lock"] : []),
    async prepare(client, user) {
      const content = randomBytes(90);
      const payload = await syncPayload(client, user, manifestHashOf(content));
      return {
        act: (to) => to.sync(payload, content),
        async holds({ records }) {
          const record = await records.read(user.account.backupAccountId);
          return record?.metadata.manifestHash === manifestHashOf(content);
        },
      };
    },
  },
  {
    name: "the backup is reset",
    onBackup: true,
    endsBackup: true,
    refusals: () => GONE,
    async prepare(client, user) {
      const request = await resetRequest(client, user);
      return { act: (to) => to.reset(request), holds: async (services) => !(await isStored(services, user)) };
    },
  },
  {
    name: "the backup is reset and created again",
    onBackup: true,
    endsBackup: true,
    refusals: () => [
      ...GONE,
      "token_not_found",
      "factor_not_found",
      "manifest_hash_mismatch",
      "factor_already_exists",
    ],
    async prepare(client, user) {
      const request = await resetRequest(client, user);
      const next = { ...newOwner(), account: user.account, main: user.main, sync: user.sync };
      const payload = await createPayload(client, next);
      return {
        async act(to) {
          await to.reset(request);
          return to.create(payload, next.backup);
        },
        holds: (services) => isStored(services, user),
      };
    },
  },
  {
    name: "somebody else takes the account id",
    onBackup: false,
    endsBackup: false,
    refusals: () => ["backup_account_id_already_exists"],
    prepare: async (client, user) => creation(client, { ...newOwner(), account: user.account }),
  },
  {
    name: "another backup takes the main factor",
    onBackup: false,
    endsBackup: false,
    refusals: () => ["factor_already_exists"],
    prepare: async (client, user) => creation(client, { ...newOwner(), main: user.main }),
  },
  {
    name: "another backup takes the sync factor",
    onBackup: false,
    endsBackup: false,
    refusals: () => ["factor_already_exists"],
    prepare: async (client, user) => creation(client, { ...newOwner(), sync: user.sync }),
  },
];

async function creation(client: ApiClient, other: User): Promise<RivalRequest> {
  const payload = await createPayload(client, other);
  return {
    act: (to) => to.create(payload, other.backup),
    holds: (services) => isListed(services, other, refOf("MAIN", other.main)),
  };
}
